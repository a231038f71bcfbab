"""Identification of callers, and ownership of tokens: certificates, addresses, audiences."""

import pytest

from relay.domain.authorization.token import Claims
from relay.domain.fault import Refusal
from relay.domain.party import Operator, Peer
from relay.policy.call.access import Caller, Callers, check_token_institution, check_tran_id, find_token_owner
from relay.policy.call.parties import Parties
from relay.policy.settings.directory import Directory


def operator(org_code, serial_num, addresses, *client_ids):
    services = [{"client_id": client_id, "name": client_id} for client_id in client_ids or (f"{org_code}SVC",)]
    return {
        "org_code": org_code,
        "name": org_code,
        "serial_num": serial_num,
        "addresses": addresses,
        "services": services,
    }


DIRECTORY = Directory.model_validate(
    {
        "operators": [
            operator("ZOPA000001", "123-45-67890", ["192.0.2.10", "2001:db8::10"], "one1", "one2"),
            operator("ZOPB000001", "123-45-67890", ["192.0.2.10", "198.51.100.0/24"]),
            operator("ZOPC000001", "ab-12", ["203.0.113.7/24", "2001:db8:c::/48"]),
            operator("ZOPD000001", "999", ["10.0.0.1/32"]),
        ]
    }
)
CALLERS = Parties.from_directory(DIRECTORY).callers


def identify(serial, address):
    return [caller.operator.org_code for caller in CALLERS.identify(Peer(serial, address))]


@pytest.mark.parametrize(
    ("serial", "address", "codes"),
    [
        ("1234567890", "192.0.2.10", ["ZOPA000001", "ZOPB000001"]),  # one certificate for two org_codes of a company
        ("1234567890", "2001:db8::10", ["ZOPA000001"]),
        ("1234567890", "198.51.100.255", ["ZOPB000001"]),
        ("AB12", "203.0.113.0", ["ZOPC000001"]),  # host bits of a network are ignored
        ("AB12", "2001:db8:c:ffff::1", ["ZOPC000001"]),
        ("999", "10.0.0.1", ["ZOPD000001"]),
        (None, "10.0.0.1", ["ZOPD000001"]),  # a leased line: the address alone
        (None, "192.0.2.10", ["ZOPA000001", "ZOPB000001"]),
    ],
)
def test_a_peer_is_identified_by_certificate_and_address(serial, address, codes):
    assert identify(serial, address) == codes


@pytest.mark.parametrize(
    ("serial", "address", "name"),
    [
        ("", "192.0.2.10", "serial_missing"),
        ("1234567891", "192.0.2.10", "serial_unknown"),
        ("123-45-67890", "192.0.2.10", "serial_unknown"),  # peers carry the normal form
        ("1234567890", "192.0.2.11", "address_unknown"),
        ("1234567890", "203.0.113.7", "address_unknown"),  # of another operator
        ("1234567890", "2001:db8::11", "address_unknown"),
        ("AB12", "2001:db8:d::1", "address_unknown"),
        ("AB12", "", "address_unknown"),  # disconnected before its address was read
        ("999", "", "address_unknown"),
        (None, "192.0.2.99", "address_unknown"),
        (None, "", "address_unknown"),
    ],
)
def test_an_unidentified_peer_is_refused_with_the_cause(serial, address, name):
    with pytest.raises(Refusal) as refusal:
        identify(serial, address)
    assert refusal.value.fault.name == name


def test_a_union_holds_the_callers_of_both():
    others = [operator("ZOPA000002", "123-45-67890", ["192.0.2.10"]), operator("ZOPE000001", "777", ["10.0.0.5"])]
    other = Parties.from_directory(Directory.model_validate({"operators": others})).callers
    both = CALLERS.union(other)
    assert both.all == (*CALLERS.all, *other.all)
    codes = [caller.operator.org_code for caller in both.identify(Peer("1234567890", "192.0.2.10"))]
    assert codes == ["ZOPA000001", "ZOPB000001", "ZOPA000002"]
    assert [caller.operator.org_code for caller in both.by_serial["777"]] == ["ZOPE000001"]
    assert "777" not in CALLERS.by_serial
    assert identify("1234567890", "192.0.2.10") == ["ZOPA000001", "ZOPB000001"]


BOTH = CALLERS.identify(Peer("1234567890", "192.0.2.10"))


def claims(**changed):
    good = {
        "iss": "ZRLA000001",
        "aud": "ZOPA000001",
        "exp": 2,
        "iat": 1,
        "jti": "j",
        "scopes": frozenset({"bank.list"}),
        "org_code": "ZBAA000001",
        "client_id": "one2",
    }
    return Claims(**good | changed)


@pytest.mark.parametrize(
    ("changed", "owner"),
    [({}, "ZOPA000001"), ({"aud": "ZOPB000001", "client_id": "ZOPB000001SVC"}, "ZOPB000001")],
)
def test_the_token_selects_the_org_code_of_a_company(changed, owner):
    assert find_token_owner(claims(**changed), BOTH).operator.org_code == owner


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"client_id": "ZOPC000001SVC"}, "token_of_other_operator"),
        ({"client_id": "ONE2"}, "token_of_other_operator"),
        ({"aud": "ZOPB000001"}, "token_of_other_operator"),  # the service of one org_code, the audience of the other
        ({"aud": "ZOPC000001", "client_id": "ZOPC000001SVC"}, "token_of_other_operator"),
    ],
)
def test_a_token_of_another_operator_is_refused(changed, name):
    with pytest.raises(Refusal) as refusal:
        find_token_owner(claims(**changed), BOTH)
    assert refusal.value.fault.name == name


@pytest.mark.parametrize(
    ("codes", "tran_id", "passes"),
    [
        ({"ZOPA000001": "M"}, "ZOPA000001M", True),
        ({"ZOPA000001": "M"}, "ZOPA000001C", False),
        ({"ZOPA000001": "MC"}, "ZOPA000001C", True),
        ({"ZOPA000001": "M"}, "ZOPB000001M", False),
        ({"ZOPA000001": "M", "ZOPB000001": "C"}, "ZOPB000001C", True),  # one certificate for two org_codes of a company
        ({"ZOPA000001": "M", "ZOPB000001": "C"}, "ZOPB000001M", False),
        ({"zopa00000a": "M"}, "ZOPA00000AM", True),  # 거래고유번호 has only capital letters
        ({"ZPTL000001": "P"}, "ZPTL000001P", True),
        ({"ZPTL000001": "P"}, "ZPTL000001M", False),
    ],
)
def test_a_tran_id_begins_with_org_code_and_letter_of_its_caller(codes, tran_id, passes):
    known = [Operator(code, "x", "1", (), (), letters) for code, letters in codes.items()]
    callers = tuple(map(Caller.from_operator, known))
    if passes:
        assert check_tran_id(f"{tran_id}00000000000001", callers) is None
    else:
        with pytest.raises(Refusal, match="tran_id_of_other_operator"):
            check_tran_id(f"{tran_id}00000000000001", callers)


def test_a_token_for_another_institution_is_refused():
    check_token_institution(claims(), "ZBAA000001")
    with pytest.raises(Refusal) as refusal:
        check_token_institution(claims(), "ZBAA000002")
    assert refusal.value.fault.name == "token_of_other_provider"


@pytest.mark.parametrize(
    ("serial", "address", "description"),
    [
        ("999", "192.0.2.77", "address=192.0.2.77 serial=999 operator=ZOPD000001"),
        ("1234567890", "192.0.2.77", "address=192.0.2.77 serial=1234567890 operator=ZOPA000001,ZOPB000001"),
        ("4711", "10.0.0.1", "address=10.0.0.1 serial=4711 operator=ZOPD000001"),
        ("4711", "192.0.2.77", "address=192.0.2.77 serial=4711 operator=-"),
        ("", "192.0.2.77", "address=192.0.2.77 serial=- operator=-"),
        (None, "2001:db8::77", "address=2001:db8::77 serial=- operator=-"),
        ('a"\\\n한' + "9" * 99, "10.9.9.9", f"address=10.9.9.9 serial=a????{'9' * 40} operator=-"),
    ],
)
def test_an_unidentified_peer_is_described(serial, address, description):
    assert CALLERS.describe_peer(Peer(serial, address)) == description


def test_many_callers_with_one_serial_keep_their_order():
    """Indexing is linear: 20,000 callers with one serial take much less than a second."""
    caller = CALLERS.all[0]
    assert Callers.from_iterable([caller] * 20_000).by_serial == {caller.operator.serial: (caller,) * 20_000}
