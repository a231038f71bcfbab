import time

import pytest
from portal_bodies import NOW, SINCE, known, orgs, read_problems, registered

from relay.domain.registry import Organisation, OrgType, Registry
from relay.policy.registry.messages import EVERYTHING
from relay.policy.registry.organisations import compare_with_registry, read_organisations
from relay.policy.registry.rows import InvalidBody

EMPTY = Registry({}, {})
OPERATOR = Organisation(
    "OPER000001",
    OrgType.OPERATOR,
    "가상 사업자",
    "999-81-00001",
    ("192.0.2.1", "192.0.2.2"),
    domain="operator.example",
)


def org(**changed):
    """Returns an operator as a row of 지원-002; None removes a value."""
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
    """Returns an institution behind this relay as a row of 지원-002."""
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


def test_an_operator_is_read_with_the_values_in_use():
    listed = read_organisations(orgs(org()), EMPTY, EVERYTHING)
    assert listed.organisations == {"OPER000001": OPERATOR}
    assert listed.timestamp == NOW


def test_an_institution_is_read_with_its_relay_and_slots():
    institution = read_organisations(orgs(member()), EMPTY, EVERYTHING).organisations["BANK000001"]
    assert (institution.relay, institution.industry, institution.slots) == (
        "RLAY000001",
        "bank",
        ("0100:0700", "2200:2400"),
    )
    assert not institution.may_call


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
    operator = read_organisations(orgs(org(**changed)), EMPTY, EVERYTHING).organisations["OPER000001"]
    assert getattr(operator, name) == read


@pytest.mark.parametrize(
    "changed",
    [
        {"org_regno": 12, "corp_regno": [], "address": {"a": 1}, "auth_type": "77", "domain_ip_cnt": "9"},
        {"domain": "x" * 71, "industry": "unheard of", "cert_issuer_dn": 7, "cert_oid": "\n", "new_field": "x"},
    ],
)
def test_invalid_unused_values_are_no_problem(changed):
    operator = read_organisations(orgs(org(**changed)), EMPTY, EVERYTHING).organisations["OPER000001"]
    assert (operator.serial_num, operator.addresses) == (OPERATOR.serial_num, OPERATOR.addresses)


@pytest.mark.parametrize(
    ("changed", "problem"),
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
def test_an_invalid_organisation_is_reported(changed, problem):
    place = "org_list[0]" if "org_code" in changed else "org_list[0] (OPER000001)"
    assert read_problems(read_organisations, orgs(org(**changed)), EMPTY, EVERYTHING) == [f"{place}.{problem}"]


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
def test_an_invalid_address_is_reported(ip, words):
    row = org(ip_cnt="2", ip_list=[{"ip": "192.0.2.1"}, {"ip": ip}])
    problems = [f"org_list[0] (OPER000001).ip_list[1].ip: {words}"]
    assert read_problems(read_organisations, orgs(row), EMPTY, EVERYTHING) == problems


@pytest.mark.parametrize(
    ("changed", "problem"),
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
def test_an_invalid_institution_is_reported(changed, problem):
    problems = read_problems(read_organisations, orgs(member(**changed)), EMPTY, EVERYTHING)
    assert len(problems) == 1
    assert problems[0].startswith(f"org_list[0] (BANK000001).{problem}")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, ["org_cnt: is missing", "org_list: holds no organisation, though everything was requested"]),
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
        (orgs(), ["org_list: holds no organisation, though everything was requested"]),
        (orgs(org(op_type="D")), ["org_list: holds no organisation, though everything was requested"]),
        ({"rsp_code": "00001"}, ["rsp_code: says up to date, though everything was requested"]),
        (
            orgs(org(serial_num=None), 7),
            ["org_list[0] (OPER000001).serial_num: is missing (org_type 03)", "org_list[1]: is no object"],
        ),
    ],
)
def test_an_incomplete_duplicate_or_empty_list_is_reported(body, problem):
    assert read_problems(read_organisations, body, EMPTY, EVERYTHING) == problem


def test_a_thousand_invalid_rows_are_counted():
    rows = [org(org_code=f"OPER{number:06}", serial_num=None) for number in range(1000)]
    with pytest.raises(InvalidBody) as caught:
        read_organisations(orgs(*rows), EMPTY, EVERYTHING)
    assert (len(caught.value.problems), caught.value.count) == (100, 1000)


def test_up_to_date_keeps_the_timestamp():
    listed = read_organisations({"rsp_code": "00001"}, known(OPERATOR), SINCE)
    assert (listed.organisations, listed.timestamp) == ({}, SINCE)


def test_a_full_list_removes_missing_parties_and_a_delta_does_not():
    other = Organisation("OPER000002", OrgType.OPERATOR, "다른 사업자", "1")
    registry = known(OPERATOR, other)
    full = read_organisations(orgs(org()), registry, EVERYTHING)
    assert full.organisations == {"OPER000001": OPERATOR, "OPER000002": None}
    assert read_organisations(orgs(org()), registry, SINCE).organisations == {"OPER000001": OPERATOR}


def test_only_real_differences_are_changes():
    registry = known(OPERATOR, services=[registered()])
    listed = read_organisations(orgs(org(op_type="M"), org(op_type="D", org_code="OPER000009")), registry, SINCE)
    changes = compare_with_registry(registry, listed, {"client1": registered(), "client9": None}, NOW)
    assert not changes
    assert (changes.orgs_timestamp, changes.services_timestamp) == (NOW, NOW)


@pytest.mark.parametrize("op_type", ["I", "M"])
def test_new_and_changed_follow_the_registry_not_the_portal(op_type):
    registry = known(OPERATOR)
    body = orgs(org(op_type=op_type, org_name="새 이름"), org(op_type=op_type, org_code="OPER000002"))
    changes = compare_with_registry(registry, read_organisations(body, registry, SINCE), {}, SINCE)
    assert set(changes.organisations) == {"OPER000001", "OPER000002"}
    assert changes.organisations["OPER000001"].name == "새 이름"


def test_a_removed_organisation_takes_its_services_along():
    other = Organisation("OPER000002", OrgType.OPERATOR, "다른 사업자", "1")
    services = [registered(), registered("client2"), registered("client3", "OPER000002")]
    registry = known(OPERATOR, other, services=services)
    listed = read_organisations(orgs(org(op_type="D", org_type=None)), registry, SINCE)
    changes = compare_with_registry(registry, listed, {}, SINCE)
    assert changes.organisations == {"OPER000001": None}
    assert changes.services == {"client1": None, "client2": None}


def test_ten_thousand_organisations_are_read_in_a_moment():
    rows = [org(org_code=f"OPER{number:06}") for number in range(10_000)]
    start = time.perf_counter()
    changes = compare_with_registry(EMPTY, read_organisations(orgs(*rows), EMPTY, EVERYTHING), {}, NOW)
    took = time.perf_counter() - start
    assert len(changes.organisations) == 10_000
    assert took < 10, f"{took:.2f} s"  # about 0.5 s on an idle machine
