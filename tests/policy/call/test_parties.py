"""Callers and transfer slots from the portal's registry or, without a portal, from a file."""

from dataclasses import fields

import pytest

from relay.domain.party import Service
from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry
from relay.policy.call.parties import (
    Parties,
    build_portal_caller,
    get_member_slots,
    iter_directory_operators,
    iter_registry_operators,
)
from relay.policy.settings.directory import Directory
from relay.policy.settings.portal import PortalSettings

HASH = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"


def organisation(org_code="ZOPA000001", org_type=OrgType.OPERATOR, **more):
    values = {"serial_num": "999-81-01001", "addresses": ("192.0.2.1", "198.51.100.0/24")} | more
    return Organisation(org_code, org_type, f"{org_code} inc.", **values)


def service(client_id, operator="ZOPA000001", **more):
    return RegisteredService(client_id, operator, f"{client_id} app", HASH, **more)


def registry(*organisations, services=()):
    return Registry({each.org_code: each for each in organisations}, {each.client_id: each for each in services})


def test_a_registry_operator_has_services_and_normal_serial():
    services = (
        service("one1", callbacks=("https://one.example/cb",), app_schemes=("one",)),
        service("two1", "ZOPB000001"),
        service("one2"),
    )
    (operator, other) = iter_registry_operators(registry(organisation(), organisation("ZOPB000001"), services=services))
    assert (operator.org_code, operator.name, operator.serial) == ("ZOPA000001", "ZOPA000001 inc.", "9998101001")
    assert operator.addresses == ("192.0.2.1", "198.51.100.0/24")
    assert operator.services == (
        Service("one1", "one1 app", "ZOPA000001", ("https://one.example/cb",), ("one",)),
        Service("one2", "one2 app", "ZOPA000001"),
    )
    assert [each.client_id for each in other.services] == ["two1"]


@pytest.mark.parametrize(
    ("org_type", "is_receiver", "calls"),
    [
        (OrgType.OPERATOR, False, True),
        (OrgType.OWN_API, False, False),
        (OrgType.OWN_API, True, True),  # 정보수신자 other than operators
        (OrgType.THROUGH_RELAY, False, False),
        (OrgType.RELAY, False, False),
        (OrgType.IDENTITY_CERTIFIER, False, False),
        (OrgType.SIGNATURE_CERTIFIER, False, False),
        (OrgType.PORTAL, False, False),
        (OrgType.OTHER, True, True),
        (OrgType.OTHER, False, False),
    ],
)
def test_only_operators_and_receivers_may_call(org_type, is_receiver, calls):
    operators = list(iter_registry_operators(registry(organisation(org_type=org_type, is_receiver=is_receiver))))
    assert bool(operators) is calls


@pytest.mark.parametrize(
    ("org_type", "is_receiver", "letters"),
    [
        (OrgType.OPERATOR, False, "M"),
        (OrgType.OPERATOR, True, "MC"),
        (OrgType.OWN_API, True, "C"),
        (OrgType.OTHER, True, "C"),
    ],
)
def test_the_registry_determines_the_subject_codes(org_type, is_receiver, letters):
    (operator,) = iter_registry_operators(registry(organisation(org_type=org_type, is_receiver=is_receiver)))
    assert operator.subject_codes == letters


def test_an_organisation_without_serial_may_not_call():
    assert list(iter_registry_operators(registry(organisation(serial_num="")))) == []


def test_a_service_without_organisation_is_ignored():
    assert list(iter_registry_operators(registry(services=(service("one1"),)))) == []


def test_an_operator_may_have_no_services_and_addresses():
    (operator,) = iter_registry_operators(registry(organisation(addresses=())))
    assert (operator.services, operator.addresses) == ((), ())


def test_slots_are_those_of_members_of_this_relay():
    members = registry(
        organisation("ZBAA000001", OrgType.THROUGH_RELAY, relay="ZRLA000001", slots=("0000:0700",)),
        organisation("ZBAA000002", OrgType.THROUGH_RELAY, relay="ZRLA000001"),
        organisation("ZBAA000003", OrgType.THROUGH_RELAY, relay="ZRLB000001", slots=("0000:0700",)),
        organisation("ZBAA000004", OrgType.OWN_API, slots=("0000:0700",)),
    )
    assert get_member_slots(members, "ZRLA000001") == {"ZBAA000001": ("0000:0700",)}


@pytest.mark.parametrize(
    ("slots", "is_used"),
    [
        (("0900:0900",), False),
        (("0900:1459",), False),
        (("0900:1500",), True),
        (("2200:0400",), True),
        (("0000:0200", "0900:1100", "2200:2400"), True),
        (("0900:1400", "1000:1500", "1100:1430"), True),  # six hours in total
        (("0900:1400", "1000:1400", "1100:1430"), False),  # a minute counts once
        (("0000:2400",), True),
    ],
)
def test_slots_that_open_less_than_six_hours_are_ignored(slots, is_used):
    member = organisation("ZBAA000001", OrgType.THROUGH_RELAY, relay="ZRLA000001", slots=slots)
    assert get_member_slots(registry(member), "ZRLA000001") == ({"ZBAA000001": slots} if is_used else {})


def test_the_directory_file_has_operators():
    entry = {"org_code": "ZOPA000001", "name": "One", "serial_num": "ab-12", "addresses": ["192.0.2.1"]}
    services = [{"client_id": "one1", "name": "a", "callbacks": ["https://one.example/cb"], "app_schemes": ["one"]}]
    directory = Directory.model_validate({"operators": [entry | {"services": services}]})
    (operator,) = iter_directory_operators(directory)
    assert (operator.serial, operator.services[0]) == (
        "AB12",
        Service("one1", "a", "ZOPA000001", ("https://one.example/cb",), ("one",)),
    )
    parties = Parties.from_directory(directory)
    assert [caller.operator for caller in parties.callers.all] == [operator]
    assert parties.slots == {}


def test_the_portal_is_a_caller():
    settings = PortalSettings.model_validate(
        {
            "org_code": "ZPTL000001",
            "base_url": "https://portal.example",
            "serial_num": "999-81-00002",
            "addresses": ["192.0.2.9", "198.51.100.0/24"],
            "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
            "offers": {"client_id": "portalatrelay", "client_secret_hash": HASH, "services": ["portalapis"]},
        }
    )
    caller = build_portal_caller(settings)
    assert (caller.operator.org_code, caller.operator.serial) == ("ZPTL000001", "9998100002")
    assert caller.client_ids == {"portalatrelay", "portalapis"}  # those it presents, not the relay's own
    assert [caller.has_address(address) for address in ("192.0.2.9", "198.51.100.7", "192.0.2.1")] == [
        True,
        True,
        False,
    ]


def test_operators_do_not_hold_secrets_of_services():
    (operator,) = iter_registry_operators(registry(organisation(), services=(service("one1"),)))
    assert "scrypt" not in repr(operator)
    names = [field.name for field in fields(Service)]
    assert not any("scrypt" in str(getattr(operator.services[0], name)) for name in names)


def test_empty_sources_have_no_callers():
    assert Parties.from_directory(Directory()).callers.all == ()
    assert list(iter_registry_operators(registry())) == []
