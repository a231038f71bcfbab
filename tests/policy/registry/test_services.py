import time

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry
from relay.policy.registry.messages import EVERYTHING
from relay.policy.registry.organizations import ToldOrganisations, changes_of
from relay.policy.registry.rows import Unfit
from relay.policy.registry.services import read_services
from relay.policy.settings.portal import SyncLimits

SINCE, NOW = "20240101000000", "20240102000000"
SECRET = "s3cr3tOfAService"
OPERATOR = Organisation("OPER000001", OrgType.OPERATOR, "가상 사업자", "999-81-00001", ("192.0.2.1",))
OTHER = Organisation("OPER000002", OrgType.OPERATOR, "다른 사업자", "1")
ONE, TWO = "org_list[0] (OPER000001).service_list", "org_list[1] (OPER000002).service_list"
UNTOLD = ToldOrganisations({}, SINCE)


def service(**changed):
    """A service as 지원-003 tells it."""
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


def of(operator, *rows, **changed):
    """What 지원-003 tells of one operator."""
    return {"org_code": operator, "service_cnt": str(len(rows)), "service_list": list(rows)} | changed


def orgs(*rows, **changed):
    """A body of 지원-003."""
    return {
        "rsp_code": "00000",
        "rsp_msg": "성공",
        "search_timestamp": NOW,
        "org_cnt": str(len(rows)),
        "org_list": list(rows),
    } | changed


def registered(client_id="client1", operator="OPER000001", **changed):
    given = {"name": "가상 서비스", "secret_hash": "h", "callbacks": ("https://operator.example/callback",)}
    return RegisteredService(client_id, operator, **(given | {"app_schemes": ("operator://back",)} | changed))


def known(*organisations, services=()):
    return Registry({one.org_code: one for one in organisations}, {one.client_id: one for one in services}, 7)


def problems_of(read, *arguments):
    with pytest.raises(Unfit) as caught:
        read(*arguments)
    assert SECRET not in str(caught.value)
    return list(caught.value.problems)


def test_a_service_is_told_with_its_secret_which_it_does_not_show():
    told = read_services(orgs(of("OPER000001", service())), known(OPERATOR), UNTOLD, SINCE).told["client1"]
    assert (told.operator, told.name, told.secret) == ("OPER000001", "가상 서비스", SECRET)
    assert (told.callbacks, told.app_schemes) == (("https://operator.example/callback",), ("operator://back",))
    assert SECRET not in repr(told)


@pytest.mark.parametrize(
    ("changed", "told"),
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
def test_a_service_that_does_not_fit_is_told(changed, told):
    body = orgs(of("OPER000001", service(**changed)))
    found = problems_of(read_services, body, known(OPERATOR), UNTOLD, SINCE)
    assert len(found) == 1
    assert found[0].startswith(f"org_list[0] (OPER000001).service_list[0].{told}")


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
def test_a_callback_that_is_none_is_told(uri):
    body = orgs(of("OPER000001", service(redirect_uri_list=[{"redirect_uri": uri}])))
    found = problems_of(read_services, body, known(OPERATOR), UNTOLD, SINCE)
    assert len(found) == 1
    assert found[0].startswith("org_list[0] (OPER000001).service_list[0].redirect_uri_list[0].redirect_uri: ")
    assert "operator.example" not in found[0]


def test_more_than_their_counts_can_tell_are_told():
    """지원-003: app_scheme_cnt has one digit."""
    schemes = [{"app_scheme": f"one{number}"} for number in range(10)]
    body = orgs(of("OPER000001", service(app_scheme_cnt="10", app_scheme_list=schemes)))
    found = problems_of(read_services, body, known(OPERATOR), UNTOLD, SINCE)
    assert found == ["org_list[0] (OPER000001).service_list[0].app_scheme_list: holds 10 entries, 9 at most"]


def test_more_services_of_one_operator_than_the_limit_are_told():
    body = orgs(of("OPER000001", *(service(client_id=f"client{number}") for number in range(101))))
    found = problems_of(read_services, body, known(OPERATOR), UNTOLD, SINCE)
    assert found == ["org_list[0] (OPER000001).service_list: holds 101 entries, 100 at most"]
    assert len(read_services(body, known(OPERATOR), UNTOLD, SINCE, SyncLimits(services_each=101)).told) == 101


def test_more_operators_than_the_limit_are_told():
    body = orgs(*(of(f"OPER{number:06}") for number in range(10_001)))
    found = problems_of(read_services, body, known(OPERATOR), UNTOLD, SINCE)
    assert found == ["org_list: holds 10001 entries, 10000 at most"]
    assert not read_services(body, known(OPERATOR), UNTOLD, SINCE, SyncLimits(operators=10_001)).told


def test_more_than_four_callbacks_are_told():
    uris = [{"redirect_uri": f"https://operator.example/{number}"} for number in range(5)]
    body = orgs(of("OPER000001", service(redirect_uri_cnt="5", redirect_uri_list=uris)))
    found = problems_of(read_services, body, known(OPERATOR), UNTOLD, SINCE)
    assert found == ["org_list[0] (OPER000001).service_list[0].redirect_uri_list: holds 5 entries, 4 at most"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [of("OPER000001", service(), service())],
            [f"{ONE}[1].client_id: stands twice, first at {ONE}[0]"],
        ),
        (
            [of("OPER000001", service()), of("OPER000002", service())],
            [f"{TWO}[0].client_id: stands twice, first at {ONE}[0]"],
        ),
        (
            [of("OPER000001", service(op_type="D"), service())],
            [f"{ONE}[0].client_id: stands twice, also at {ONE}[1]"],
        ),
        (
            [of("OPER000001", service(op_type="D"), service(op_type="D"))],
            [f"{ONE}[1].client_id: stands twice, first at {ONE}[0]"],
        ),
        (
            [of("OPER000001"), of("OPER000001")],
            ["org_list[1] (OPER000001).org_code: stands twice, first at org_list[0] (OPER000001)"],
        ),
        ([of("OPER000001", service_cnt="3")], ["org_list[0] (OPER000001).service_cnt: says 3, service_list holds 0"]),
        ([{}], ["org_list[0].org_code: is missing"]),
        (
            [of("OPER000002", service(client_id="client7"))],
            ["org_list[0] (OPER000002).service_list[0].client_id: belongs to another operator"],
        ),
        (
            [of("OPER000002", service(client_id="client7", op_type="D"))],
            ["org_list[0] (OPER000002).service_list[0].client_id: belongs to another operator"],
        ),
    ],
)
def test_services_that_contradict_each_other_or_the_registry_are_told(rows, told):
    registry = known(OPERATOR, OTHER, services=[registered("client7")])
    assert problems_of(read_services, orgs(*rows), registry, UNTOLD, SINCE) == told


@pytest.mark.parametrize(
    ("gone", "rows"),
    [
        ({}, [of("OPER000001", service(op_type="D")), of("OPER000002", service())]),
        ({}, [of("OPER000002", service()), of("OPER000001", service(op_type="D"))]),
        ({"OPER000001": None}, [of("OPER000002", service())]),
    ],
)
def test_a_service_passes_on_when_its_first_operator_lets_go(gone, rows):
    registry = known(OPERATOR, OTHER, services=[registered()])
    told = read_services(orgs(*rows), registry, ToldOrganisations(gone, NOW), SINCE).told
    assert told["client1"].operator == "OPER000002"
    kept = changes_of(registry, ToldOrganisations(gone, NOW), {"client1": registered(operator="OPER000002")}, NOW)
    assert kept.services == {"client1": registered(operator="OPER000002")}


@pytest.mark.parametrize("since", [SINCE, EVERYTHING])
@pytest.mark.parametrize("gone", [{}, {"OPER000009": None}])
@pytest.mark.parametrize(
    ("row", "count"),
    [
        (of("OPER000009", service(client_id="client9")), 1),
        (of("OPER000009", service(client_id="client9", op_type="D"), service()), 1),
        (of("OPER000009", service(client_id="client9", op_type="D")), 0),
        (of("OPER000009", "none"), 1),
        (of("OPER000009", service(client_secret="", redirect_uri_list="none")), 1),
        (of("OPER000009", service(), service_cnt="7"), 1),
        (of("OPER000009"), 0),
        (of("OPER000009", service_list="none"), 0),
    ],
)
def test_services_of_nobody_are_left_out_and_counted(row, count, gone, since):
    """They open nothing, and what stands in them must not keep anybody from going."""
    told = read_services(orgs(row, of("OPER000001", service())), known(OPERATOR), ToldOrganisations(gone, NOW), since)
    assert (set(told.told), told.left_out) == ({"client1"}, count)


def test_what_an_organisation_that_goes_had_goes_though_its_services_are_told():
    gone = ToldOrganisations({"OPER000001": None}, NOW)
    registry = known(OPERATOR, OTHER, services=[registered(), registered("client2", "OPER000002")])
    told = read_services(orgs(of("OPER000001", service(op_type="M"))), registry, gone, SINCE)
    assert (told.told, told.left_out) == ({}, 1)
    assert changes_of(registry, gone, told.told, NOW).services == {"client1": None}


def test_services_of_a_newcomer_of_the_same_sync_are_known():
    newcomer = ToldOrganisations({"OPER000001": OPERATOR}, NOW)
    assert set(read_services(orgs(of("OPER000001", service())), Registry({}, {}), newcomer, EVERYTHING).told) == {
        "client1"
    }


def test_up_to_date_changes_nothing_and_asks_from_the_same_moment():
    told = read_services({"rsp_code": "00001"}, known(OPERATOR, services=[registered()]), UNTOLD, SINCE)
    assert (told.told, told.timestamp) == ({}, SINCE)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, ["org_cnt: is missing"]),
        ({"rsp_code": "00001"}, ["rsp_code: says up to date, though everything was asked for"]),
        (orgs(of("OPER000001"), org_cnt="2"), ["org_cnt: says 2, org_list holds 1"]),
    ],
)
def test_half_a_list_is_told(body, told):
    assert problems_of(read_services, body, known(OPERATOR), UNTOLD, EVERYTHING) == told


def test_what_a_full_list_does_not_hold_is_gone_and_a_delta_leaves_it():
    registry = known(OPERATOR, services=[registered(), registered("client2")])
    body = orgs(of("OPER000001", service()))
    assert read_services(body, registry, UNTOLD, EVERYTHING).told["client2"] is None
    assert "client2" not in read_services(body, registry, UNTOLD, SINCE).told


def test_ten_thousand_services_are_read_in_a_moment():
    operators = [f"OPER{number:06}" for number in range(10_000)]
    registry = known(*(Organisation(code, OrgType.OPERATOR, "가상 사업자") for code in operators))
    body = orgs(*(of(code, service(client_id=code)) for code in operators))
    begun = time.perf_counter()
    told = read_services(body, registry, UNTOLD, EVERYTHING).told
    took = time.perf_counter() - begun
    assert len(told) == 10_000
    assert took < 10, f"{took:.2f} s"  # about 0.5 s where nobody else works
