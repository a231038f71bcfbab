import time

import portal_bodies
import pytest
from portal_bodies import NOW, SINCE, known, orgs, registered

from relay.domain.registry import Organisation, OrgType, Registry
from relay.policy.registry.messages import EVERYTHING
from relay.policy.registry.organisations import ListedOrganisations, compare_with_registry
from relay.policy.registry.services import read_services
from relay.policy.settings.portal import SyncLimits

SECRET = "s3cr3tOfAService"
OPERATOR = Organisation("OPER000001", OrgType.OPERATOR, "가상 사업자", "999-81-00001", ("192.0.2.1",))
OTHER = Organisation("OPER000002", OrgType.OPERATOR, "다른 사업자", "1")
ONE, TWO = "org_list[0] (OPER000001).service_list", "org_list[1] (OPER000002).service_list"
NO_CHANGES = ListedOrganisations({}, SINCE)


def service(**changed):
    """Returns a service as a row of 지원-003."""
    row = {
        "service_name": "가상 서비스",
        "op_type": "I",
        "client_id": "client1",
        "client_secret": SECRET,
        "redirect_uri_cnt": "1",
        "redirect_uri_list": [{"redirect_uri": "https://operator.example/callback"}],
        "app_scheme_cnt": "1",
        "app_scheme_list": [{"app_scheme": "operator://back"}],
    } | changed
    return {name: value for name, value in row.items() if value is not None}


def listing(operator, *rows, **changed):
    """Returns the services of one operator as a row of 지원-003."""
    return {"org_code": operator, "service_cnt": str(len(rows)), "service_list": list(rows)} | changed


def read_problems(*arguments):
    """Returns the problems of a body, which never contain the secret."""
    problems = portal_bodies.read_problems(*arguments)
    assert SECRET not in str(problems)
    return problems


def test_a_service_is_read_and_its_secret_is_hidden():
    services = read_services(orgs(listing("OPER000001", service())), known(OPERATOR), NO_CHANGES, SINCE).services[
        "client1"
    ]
    assert (services.operator, services.name, services.secret) == ("OPER000001", "가상 서비스", SECRET)
    assert (services.callbacks, services.app_schemes) == (("https://operator.example/callback",), ("operator://back",))
    assert SECRET not in repr(services)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"client_id": None}, "client_id: is missing"),
        ({"client_id": "a b"}, "client_id: is not 1 to 50 letters or digits"),
        ({"client_id": "c" * 51}, "client_id: is not 1 to 50 letters or digits"),
        ({"op_type": "R"}, "op_type: is not I, M or D"),
        ({"service_name": None}, "service_name: is missing"),
        ({"service_name": "가" * 11}, "service_name: is longer than 30 bytes or not printable"),
        ({"client_secret": None}, "client_secret: is missing"),
        ({"client_secret": SECRET + "!"}, "client_secret: is not 1 to 50 letters or digits"),
        ({"client_secret": SECRET * 4}, "client_secret: is not 1 to 50 letters or digits"),
        ({"redirect_uri_cnt": None, "redirect_uri_list": None}, "redirect_uri_list: is missing"),
        ({"redirect_uri_cnt": "2"}, "redirect_uri_cnt: says 2, redirect_uri_list holds 1"),
        ({"app_scheme_cnt": "2"}, "app_scheme_cnt: says 2, app_scheme_list holds 1"),
        ({"app_scheme_list": [{"app_scheme": "a b"}]}, "app_scheme_list[0].app_scheme: is longer than 100 bytes"),
    ],
)
def test_an_invalid_service_is_reported(changed, problem):
    body = orgs(listing("OPER000001", service(**changed)))
    reported = read_problems(read_services, body, known(OPERATOR), NO_CHANGES, SINCE)
    assert len(reported) == 1
    assert reported[0].startswith(f"org_list[0] (OPER000001).service_list[0].{problem}")


@pytest.mark.parametrize(
    "uri",
    [
        "http://operator.example/",
        "https://",
        "https:///path",
        "https://operator.example/" + "x" * 80,
        "https://user@operator.example/",
        "https://operator.example/#part",
        "https://operator.example:99999/",
        "https://operator.example:0/",
        "https://[2001:db8::1/",
        "https://operator.example/ a",
        "https://operator.example/가",
        "javascript:alert(1)",
        17,
    ],
)
def test_an_invalid_callback_is_reported(uri):
    body = orgs(listing("OPER000001", service(redirect_uri_list=[{"redirect_uri": uri}])))
    reported = read_problems(read_services, body, known(OPERATOR), NO_CHANGES, SINCE)
    assert len(reported) == 1
    assert reported[0].startswith("org_list[0] (OPER000001).service_list[0].redirect_uri_list[0].redirect_uri: ")
    assert "operator.example" not in reported[0]


def test_more_entries_than_a_count_can_hold_are_reported():
    """지원-003: app_scheme_cnt has one digit."""
    schemes = [{"app_scheme": f"one{number}"} for number in range(10)]
    body = orgs(listing("OPER000001", service(app_scheme_cnt="10", app_scheme_list=schemes)))
    reported = read_problems(read_services, body, known(OPERATOR), NO_CHANGES, SINCE)
    assert reported == ["org_list[0] (OPER000001).service_list[0].app_scheme_list: holds 10 entries, 9 at most"]


def test_more_services_of_an_operator_than_the_limit_are_reported():
    body = orgs(listing("OPER000001", *(service(client_id=f"client{number}") for number in range(101))))
    reported = read_problems(read_services, body, known(OPERATOR), NO_CHANGES, SINCE)
    assert reported == ["org_list[0] (OPER000001).service_list: holds 101 entries, 100 at most"]
    assert len(read_services(body, known(OPERATOR), NO_CHANGES, SINCE, SyncLimits(services_each=101)).services) == 101


def test_more_operators_than_the_limit_are_reported():
    body = orgs(*(listing(f"OPER{number:06}") for number in range(10_001)))
    reported = read_problems(read_services, body, known(OPERATOR), NO_CHANGES, SINCE)
    assert reported == ["org_list: holds 10001 entries, 10000 at most"]
    assert not read_services(body, known(OPERATOR), NO_CHANGES, SINCE, SyncLimits(operators=10_001)).services


def test_more_than_four_callbacks_are_reported():
    uris = [{"redirect_uri": f"https://operator.example/{number}"} for number in range(5)]
    body = orgs(listing("OPER000001", service(redirect_uri_cnt="5", redirect_uri_list=uris)))
    reported = read_problems(read_services, body, known(OPERATOR), NO_CHANGES, SINCE)
    assert reported == ["org_list[0] (OPER000001).service_list[0].redirect_uri_list: holds 5 entries, 4 at most"]


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        (
            [listing("OPER000001", service(), service())],
            [f"{ONE}[1].client_id: stands twice, first at {ONE}[0]"],
        ),
        (
            [listing("OPER000001", service()), listing("OPER000002", service())],
            [f"{TWO}[0].client_id: stands twice, first at {ONE}[0]"],
        ),
        (
            [listing("OPER000001", service(op_type="D"), service())],
            [f"{ONE}[0].client_id: stands twice, also at {ONE}[1]"],
        ),
        (
            [listing("OPER000001", service(op_type="D"), service(op_type="D"))],
            [f"{ONE}[1].client_id: stands twice, first at {ONE}[0]"],
        ),
        (
            [listing("OPER000001"), listing("OPER000001")],
            ["org_list[1] (OPER000001).org_code: stands twice, first at org_list[0] (OPER000001)"],
        ),
        (
            [listing("OPER000001", service_cnt="3")],
            ["org_list[0] (OPER000001).service_cnt: says 3, service_list holds 0"],
        ),
        ([{}], ["org_list[0].org_code: is missing"]),
        (
            [listing("OPER000002", service(client_id="client7"))],
            ["org_list[0] (OPER000002).service_list[0].client_id: belongs to another operator"],
        ),
        (
            [listing("OPER000002", service(client_id="client7", op_type="D"))],
            ["org_list[0] (OPER000002).service_list[0].client_id: belongs to another operator"],
        ),
    ],
)
def test_contradictory_services_are_reported(rows, problems):
    registry = known(OPERATOR, OTHER, services=[registered("client7")])
    assert read_problems(read_services, orgs(*rows), registry, NO_CHANGES, SINCE) == problems


@pytest.mark.parametrize(
    ("gone", "rows"),
    [
        ({}, [listing("OPER000001", service(op_type="D")), listing("OPER000002", service())]),
        ({}, [listing("OPER000002", service()), listing("OPER000001", service(op_type="D"))]),
        ({"OPER000001": None}, [listing("OPER000002", service())]),
    ],
)
def test_a_service_moves_when_its_first_operator_drops_it(gone, rows):
    registry = known(OPERATOR, OTHER, services=[registered()])
    services = read_services(orgs(*rows), registry, ListedOrganisations(gone, NOW), SINCE).services
    assert services["client1"].operator == "OPER000002"
    changes = compare_with_registry(
        registry, ListedOrganisations(gone, NOW), {"client1": registered(operator="OPER000002")}, NOW
    )
    assert changes.services == {"client1": registered(operator="OPER000002")}


@pytest.mark.parametrize("since", [SINCE, EVERYTHING])
@pytest.mark.parametrize("gone", [{}, {"OPER000009": None}])
@pytest.mark.parametrize(
    ("row", "count"),
    [
        (listing("OPER000009", service(client_id="client9")), 1),
        (listing("OPER000009", service(client_id="client9", op_type="D"), service()), 1),
        (listing("OPER000009", service(client_id="client9", op_type="D")), 0),
        (listing("OPER000009", "none"), 1),
        (listing("OPER000009", service(client_secret="", redirect_uri_list="none")), 1),
        (listing("OPER000009", service(), service_cnt="7"), 1),
        (listing("OPER000009"), 0),
        (listing("OPER000009", service_list="none"), 0),
    ],
)
def test_services_of_unknown_organisations_are_skipped_and_counted(row, count, gone, since):
    """They are useless; an error in them must not stop the removal of an organisation."""
    services = read_services(
        orgs(row, listing("OPER000001", service())), known(OPERATOR), ListedOrganisations(gone, NOW), since
    )
    assert (set(services.services), services.left_out) == ({"client1"}, count)


def test_a_removed_organisation_loses_services_that_are_still_listed():
    gone = ListedOrganisations({"OPER000001": None}, NOW)
    registry = known(OPERATOR, OTHER, services=[registered(), registered("client2", "OPER000002")])
    services = read_services(orgs(listing("OPER000001", service(op_type="M"))), registry, gone, SINCE)
    assert (services.services, services.left_out) == ({}, 1)
    assert compare_with_registry(registry, gone, services.services, NOW).services == {"client1": None}


def test_services_of_an_organisation_new_in_this_sync_are_read():
    newcomer = ListedOrganisations({"OPER000001": OPERATOR}, NOW)
    assert set(
        read_services(orgs(listing("OPER000001", service())), Registry({}, {}), newcomer, EVERYTHING).services
    ) == {"client1"}


def test_up_to_date_keeps_the_timestamp():
    services = read_services({"rsp_code": "00001"}, known(OPERATOR, services=[registered()]), NO_CHANGES, SINCE)
    assert (services.services, services.timestamp) == ({}, SINCE)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, ["org_cnt: is missing"]),
        ({"rsp_code": "00001"}, ["rsp_code: says up to date, though everything was requested"]),
        (orgs(listing("OPER000001"), org_cnt="2"), ["org_cnt: says 2, org_list holds 1"]),
    ],
)
def test_an_incomplete_list_is_reported(body, problems):
    assert read_problems(read_services, body, known(OPERATOR), NO_CHANGES, EVERYTHING) == problems


def test_a_full_list_removes_missing_services_and_a_delta_does_not():
    registry = known(OPERATOR, services=[registered(), registered("client2")])
    body = orgs(listing("OPER000001", service()))
    assert read_services(body, registry, NO_CHANGES, EVERYTHING).services["client2"] is None
    assert "client2" not in read_services(body, registry, NO_CHANGES, SINCE).services


def test_ten_thousand_services_are_read_in_a_moment():
    operators = [f"OPER{number:06}" for number in range(10_000)]
    registry = known(*(Organisation(code, OrgType.OPERATOR, "가상 사업자") for code in operators))
    body = orgs(*(listing(code, service(client_id=code)) for code in operators))
    start = time.perf_counter()
    services = read_services(body, registry, NO_CHANGES, EVERYTHING).services
    took = time.perf_counter() - start
    assert len(services) == 10_000
    assert took < 10, f"{took:.2f} s"  # about 0.5 s on an idle machine
