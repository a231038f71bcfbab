import time

import pytest

from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry
from relay.policy.registry.messages import EVERYTHING
from relay.policy.registry.organizations import changes_of, read_organisations
from relay.policy.registry.rows import Unfit

SINCE, NOW = "20240101000000", "20240102000000"
NOBODY = Registry({}, {})
TOLD_OPERATOR = Organisation(
    "OPER000001",
    OrgType.OPERATOR,
    "가상 사업자",
    "999-81-00001",
    ("192.0.2.1", "192.0.2.2"),
    domain="operator.example",
)


def org(**changed):
    """An operator as 지원-002 tells it; None takes a value away."""
    row = {
        "op_type": "I",
        "org_code": "OPER000001",
        "org_type": "03",
        "org_name": "가상 사업자",
        "org_regno": "999-81-00001",
        "corp_regno": "",
        "serial_num": "999-81-00001",
        "address": "가상시 가상구",
        "domain": "operator.example",
        "ip_cnt": "2",
        "ip_list": [{"ip": "192.0.2.2"}, {"ip": "192.0.2.1"}],
    } | changed
    return {name: value for name, value in row.items() if value is not None}


def member(**changed):
    """An institution behind this relay."""
    row = {
        "org_code": "BANK000001",
        "org_type": "02",
        "is_rcv_org": "false",
        "relay_org_code": "RLAY000001",
        "industry": "bank",
        "auth_type": "01",
        "np_time_cnt": "2",
        "np_time_list": [{"np_time": "2200:2400"}, {"np_time": "0100:0700"}],
    }
    return org(**(row | changed))


def orgs(*rows, **changed):
    """A body of 지원-002."""
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
    return list(caught.value.problems)


def test_an_operator_is_told_with_what_the_relay_goes_by():
    told = read_organisations(orgs(org()), NOBODY, EVERYTHING)
    assert told.told == {"OPER000001": TOLD_OPERATOR}
    assert told.timestamp == NOW


def test_a_member_is_told_with_its_relay_and_slots():
    told = read_organisations(orgs(member()), NOBODY, EVERYTHING).told["BANK000001"]
    assert (told.relay, told.industry, told.slots) == ("RLAY000001", "bank", ("0100:0700", "2200:2400"))
    assert not told.calls


@pytest.mark.parametrize(
    ("changed", "name", "read"),
    [
        ({"is_rcv_org": True, "org_type": "01"}, "is_receiver", True),
        ({"is_rcv_org": "true", "org_type": "99"}, "is_receiver", True),
        ({"org_type": "05", "serial_num": None, "cert_oid": "1.2.3_1.2.4"}, "cert_oid", "1.2.3_1.2.4"),
        ({"org_type": "06", "cert_issuer_dn": "cn=Certifier"}, "cert_issuer_dn", "cn=Certifier"),
        ({"org_type": "07"}, "org_type", OrgType.PORTAL),
        ({"org_type": "04", "ip_cnt": None, "ip_list": None}, "addresses", ()),
        ({"ip_cnt": 1, "ip_list": [{"ip": "2001:DB8:0::1"}]}, "addresses", ("2001:db8::1",)),
        ({"ip_cnt": 2, "ip_list": [{"ip": "192.0.2.1"}] * 2}, "addresses", ("192.0.2.1",)),
        ({"ip_cnt": 1, "ip_list": [{"ip": "192.0.2.9/24"}]}, "addresses", ("192.0.2.0/24",)),
        ({"ip_cnt": 1, "ip_list": [{"ip": "192.0.2.9/32"}]}, "addresses", ("192.0.2.9",)),
        ({"serial_num": 9998100001}, "serial_num", "9998100001"),
        ({"org_name": "이" * 20}, "name", "이" * 20),
        ({"np_time_cnt": "1", "np_time_list": "none of our business"}, "slots", ()),
    ],
)
def test_organisations_of_every_kind_are_read(changed, name, read):
    told = read_organisations(orgs(org(**changed)), NOBODY, EVERYTHING).told["OPER000001"]
    assert getattr(told, name) == read


@pytest.mark.parametrize(
    "changed",
    [
        {"org_regno": 12, "corp_regno": [], "address": {"a": 1}, "auth_type": "77", "domain_ip_cnt": "9"},
        {"domain": "x" * 71, "industry": "unheard of", "cert_issuer_dn": 7, "cert_oid": "\n", "new_field": "x"},
    ],
)
def test_what_the_relay_does_not_use_stops_nothing(changed):
    told = read_organisations(orgs(org(**changed)), NOBODY, EVERYTHING).told["OPER000001"]
    assert (told.serial_num, told.addresses) == (TOLD_OPERATOR.serial_num, TOLD_OPERATOR.addresses)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"org_code": None}, "org_code: is missing"),
        ({"org_code": "OPER00001"}, "org_code: is not 10 letters or digits"),
        ({"org_code": "OPER00000\n"}, "org_code: is not 10 letters or digits"),
        ({"op_type": None}, "op_type: is missing"),
        ({"op_type": "X"}, "op_type: is not I, M or D"),
        ({"org_type": None}, "org_type: is missing"),
        ({"org_type": "08"}, "org_type: is none of 01, 02, 03, 04, 05, 06, 07, 99"),
        ({"org_type": 3}, "org_type: is none of 01, 02, 03, 04, 05, 06, 07, 99"),
        ({"org_name": None}, "org_name: is missing"),
        ({"org_name": "이" * 21}, "org_name: is longer than 60 bytes or not printable"),
        ({"org_name": "a\x1b[2J"}, "org_name: is longer than 60 bytes or not printable"),
        ({"org_name": "\ud800"}, "org_name: is longer than 60 bytes or not printable"),
        ({"org_name": "\u202egnp"}, "org_name: is longer than 60 bytes or not printable"),
        ({"serial_num": None}, "serial_num: is missing (org_type 03)"),
        ({"serial_num": ""}, "serial_num: is missing (org_type 03)"),
        ({"serial_num": "9" * 21}, "serial_num: is not 1 to 20 letters, digits, hyphens or blanks"),
        ({"serial_num": "- -"}, "serial_num: is not 1 to 20 letters, digits, hyphens or blanks"),
        ({"serial_num": "*"}, "serial_num: is not 1 to 20 letters, digits, hyphens or blanks"),
        ({"ip_cnt": "0", "ip_list": []}, "ip_list: holds no address (org_type 03)"),
        ({"ip_cnt": "3"}, "ip_cnt: says 3, ip_list holds 2"),
        ({"ip_cnt": None, "ip_list": ["192.0.2.1", {"ip": "192.0.2.1"}]}, "ip_list[0]: is no object"),
        ({"is_rcv_org": "maybe"}, "is_rcv_org: is neither true nor false"),
        ({"relay_org_code": "us"}, "relay_org_code: is not 10 letters or digits"),
    ],
)
def test_an_organisation_that_does_not_fit_is_told(changed, told):
    place = "org_list[0]" if "org_code" in changed else "org_list[0] (OPER000001)"
    assert problems_of(read_organisations, orgs(org(**changed)), NOBODY, EVERYTHING) == [f"{place}.{told}"]


@pytest.mark.parametrize(
    ("ip", "words"),
    [
        ("192.0.2.256", "is no address"),
        ("192.0.2", "is no address"),
        ("3232235777", "is no address"),
        ("010.0.0.1", "is no address"),
        ("192.0.2.1:443", "is no address"),
        ("host.example", "is no address"),
        (7, "is no address"),
        (None, "is missing"),
        ("0.0.0.0", "is no address of one institution"),
        ("::", "is no address of one institution"),
        ("0.0.0.0/0", "is no address of one institution"),
        ("10.0.0.0/8", "is no address of one institution"),
        ("2001:db8::/31", "is no address of one institution"),
        ("::ffff:192.0.2.1", "is no address of one institution"),
    ],
)
def test_an_address_that_is_none_is_told(ip, words):
    row = org(ip_cnt="2", ip_list=[{"ip": "192.0.2.1"}, {"ip": ip}])
    told = [f"org_list[0] (OPER000001).ip_list[1].ip: {words}"]
    assert problems_of(read_organisations, orgs(row), NOBODY, EVERYTHING) == told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"relay_org_code": None}, "relay_org_code: is missing (org_type 02)"),
        ({"np_time_cnt": "1", "np_time_list": [{"np_time": "1:7"}]}, "np_time_list[0].np_time: is not hhmm:hhmm"),
        ({"np_time_cnt": "1", "np_time_list": [{"np_time": "0100:2500"}]}, "np_time_list[0].np_time: is not hhmm:hhmm"),
        ({"np_time_cnt": "1", "np_time_list": [{}]}, "np_time_list[0].np_time: is missing"),
        (
            {"ip_cnt": "1000", "ip_list": [{"ip": f"192.0.{at // 250}.{at % 250}"} for at in range(1000)]},
            "ip_list: holds 1000 entries, 999 at most",
        ),
        ({"np_time_cnt": "4", "np_time_list": [{"np_time": "0100:0700"}] * 4}, "np_time_list: holds 4 entries"),
    ],
)
def test_a_member_that_does_not_fit_is_told(changed, told):
    found = problems_of(read_organisations, orgs(member(**changed)), NOBODY, EVERYTHING)
    assert len(found) == 1
    assert found[0].startswith(f"org_list[0] (BANK000001).{told}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, ["org_cnt: is missing", "org_list: holds nobody, though everything was asked for"]),
        (orgs(org(), org_cnt=None), ["org_cnt: is missing"]),
        (orgs(org(), org_cnt="2"), ["org_cnt: says 2, org_list holds 1"]),
        (orgs(org(), search_timestamp="now"), ["search_timestamp: is not 1 to 14 digits"]),
        (orgs(org(), search_timestamp="2" * 15), ["search_timestamp: is not 1 to 14 digits"]),
        (
            orgs(org(), org(op_type="M")),
            ["org_list[1] (OPER000001).org_code: stands twice, first at org_list[0] (OPER000001)"],
        ),
        (
            orgs(org(), org(op_type="D"), org(org_code="OPER000002")),
            ["org_list[1] (OPER000001).org_code: stands twice, first at org_list[0] (OPER000001)"],
        ),
        (orgs(), ["org_list: holds nobody, though everything was asked for"]),
        (orgs(org(op_type="D")), ["org_list: holds nobody, though everything was asked for"]),
        ({"rsp_code": "00001"}, ["rsp_code: says up to date, though everything was asked for"]),
        (
            orgs(org(serial_num=None), 7),
            ["org_list[0] (OPER000001).serial_num: is missing (org_type 03)", "org_list[1]: is no object"],
        ),
    ],
)
def test_a_list_that_is_half_or_doubled_or_empty_is_told(body, told):
    assert problems_of(read_organisations, body, NOBODY, EVERYTHING) == told


def test_a_thousand_rows_that_do_not_fit_are_counted():
    rows = [org(org_code=f"OPER{number:06}", serial_num=None) for number in range(1000)]
    with pytest.raises(Unfit) as caught:
        read_organisations(orgs(*rows), NOBODY, EVERYTHING)
    assert (len(caught.value.problems), caught.value.found) == (100, 1000)


def test_up_to_date_changes_nothing_and_asks_from_the_same_moment():
    told = read_organisations({"rsp_code": "00001"}, known(TOLD_OPERATOR), SINCE)
    assert (told.told, told.timestamp) == ({}, SINCE)


def test_what_a_full_list_does_not_hold_is_gone_and_a_delta_leaves_it():
    other = Organisation("OPER000002", OrgType.OPERATOR, "다른 사업자", "1")
    registry = known(TOLD_OPERATOR, other)
    full = read_organisations(orgs(org()), registry, EVERYTHING)
    assert full.told == {"OPER000001": TOLD_OPERATOR, "OPER000002": None}
    assert read_organisations(orgs(org()), registry, SINCE).told == {"OPER000001": TOLD_OPERATOR}


def test_only_real_differences_are_changes():
    registry = known(TOLD_OPERATOR, services=[registered()])
    told = read_organisations(orgs(org(op_type="M"), org(op_type="D", org_code="OPER000009")), registry, SINCE)
    changes = changes_of(registry, told, {"client1": registered(), "client9": None}, NOW)
    assert not changes
    assert (changes.orgs_timestamp, changes.services_timestamp) == (NOW, NOW)


@pytest.mark.parametrize("op_type", ["I", "M"])
def test_new_is_changed_for_one_that_is_known_and_changed_is_new_for_one_that_is_not(op_type):
    registry = known(TOLD_OPERATOR)
    body = orgs(org(op_type=op_type, org_name="새 이름"), org(op_type=op_type, org_code="OPER000002"))
    changes = changes_of(registry, read_organisations(body, registry, SINCE), {}, SINCE)
    assert set(changes.organisations) == {"OPER000001", "OPER000002"}
    assert changes.organisations["OPER000001"].name == "새 이름"


def test_an_organisation_that_goes_takes_its_services_along():
    other = Organisation("OPER000002", OrgType.OPERATOR, "다른 사업자", "1")
    services = [registered(), registered("client2"), registered("client3", "OPER000002")]
    registry = known(TOLD_OPERATOR, other, services=services)
    told = read_organisations(orgs(org(op_type="D", org_type=None)), registry, SINCE)
    changes = changes_of(registry, told, {}, SINCE)
    assert changes.organisations == {"OPER000001": None}
    assert changes.services == {"client1": None, "client2": None}


def test_ten_thousand_organisations_are_read_in_a_moment():
    rows = [org(org_code=f"OPER{number:06}") for number in range(10_000)]
    begun = time.perf_counter()
    changes = changes_of(NOBODY, read_organisations(orgs(*rows), NOBODY, EVERYTHING), {}, NOW)
    took = time.perf_counter() - begun
    assert len(changes.organisations) == 10_000
    assert took < 10, f"{took:.2f} s"  # about 0.5 s where nobody else works
