"""Who may call and which slots count: from the portal's registry, or a file where there is none."""

import pytest

from relay.domain.party import Service
from relay.domain.registry import Organisation, OrgType, RegisteredService, Registry
from relay.policy.call.parties import Parties, operators_in, operators_of, portal_of, slots_of
from relay.policy.settings.directory import Directory
from relay.policy.settings.portal import PortalSettings

HASH = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"


def organisation(org_code="ZOPA000001", org_type=OrgType.OPERATOR, **more):
    told = {"serial_num": "999-81-01001", "addresses": ("192.0.2.1", "198.51.100.0/24")} | more
    return Organisation(org_code, org_type, f"{org_code} inc.", **told)


def service(client_id, operator="ZOPA000001", **more):
    return RegisteredService(client_id, operator, f"{client_id} app", HASH, **more)


def registry(*organisations, services=()):
    return Registry({one.org_code: one for one in organisations}, {one.client_id: one for one in services})


def test_an_operator_of_the_registry_has_its_services_and_normal_serial():
    services = (
        service("one1", callbacks=("https://one.example/cb",), app_schemes=("one",)),
        service("two1", "ZOPB000001"),
        service("one2"),
    )
    (found, other) = operators_of(registry(organisation(), organisation("ZOPB000001"), services=services))
    assert (found.org_code, found.name, found.serial) == ("ZOPA000001", "ZOPA000001 inc.", "9998101001")
    assert found.addresses == ("192.0.2.1", "198.51.100.0/24")
    assert found.services == (
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
def test_operators_and_receivers_call_and_nobody_else(org_type, is_receiver, calls):
    found = list(operators_of(registry(organisation(org_type=org_type, is_receiver=is_receiver))))
    assert bool(found) is calls


@pytest.mark.parametrize(
    ("org_type", "is_receiver", "letters"),
    [
        (OrgType.OPERATOR, False, "M"),
        (OrgType.OPERATOR, True, "MC"),
        (OrgType.OWN_API, True, "C"),
        (OrgType.OTHER, True, "C"),
    ],
)
def test_the_registry_tells_the_letters_of_its_callers(org_type, is_receiver, letters):
    (found,) = operators_of(registry(organisation(org_type=org_type, is_receiver=is_receiver)))
    assert found.subject_codes == letters


def test_who_has_no_serial_could_be_anybody_and_calls_nothing():
    assert list(operators_of(registry(organisation(serial_num="")))) == []


def test_a_service_of_nobody_makes_nobody():
    assert list(operators_of(registry(services=(service("one1"),)))) == []


def test_an_operator_without_services_or_addresses_is_known_and_gets_nothing():
    (found,) = operators_of(registry(organisation(addresses=())))
    assert (found.services, found.addresses) == ((), ())


def test_slots_are_those_of_our_members_that_the_portal_tells():
    found = registry(
        organisation("ZBAA000001", OrgType.THROUGH_RELAY, relay="ZRLA000001", slots=("0000:0700",)),
        organisation("ZBAA000002", OrgType.THROUGH_RELAY, relay="ZRLA000001"),
        organisation("ZBAA000003", OrgType.THROUGH_RELAY, relay="ZRLB000001", slots=("0000:0700",)),
        organisation("ZBAA000004", OrgType.OWN_API, slots=("0000:0700",)),
    )
    assert slots_of(found, "ZRLA000001") == {"ZBAA000001": ("0000:0700",)}


@pytest.mark.parametrize(
    ("slots", "goes"),
    [
        (("0900:0900",), False),
        (("0900:1459",), False),
        (("0900:1500",), True),
        (("2200:0400",), True),
        (("0000:0200", "0900:1100", "2200:2400"), True),
        (("0900:1400", "1000:1500", "1100:1430"), True),  # six hours in all
        (("0900:1400", "1000:1400", "1100:1430"), False),  # a minute counts once
        (("0000:2400",), True),
    ],
)
def test_slots_that_open_less_than_six_hours_a_day_are_none(slots, goes):
    member = organisation("ZBAA000001", OrgType.THROUGH_RELAY, relay="ZRLA000001", slots=slots)
    assert slots_of(registry(member), "ZRLA000001") == ({"ZBAA000001": slots} if goes else {})


def test_a_file_tells_the_same_of_its_operators():
    entry = {"org_code": "ZOPA000001", "name": "One", "serial_num": "ab-12", "addresses": ["192.0.2.1"]}
    services = [{"client_id": "one1", "name": "a", "callbacks": ["https://one.example/cb"], "app_schemes": ["one"]}]
    directory = Directory.model_validate({"operators": [entry | {"services": services}]})
    (found,) = operators_in(directory)
    assert (found.serial, found.services[0]) == (
        "AB12",
        Service("one1", "a", "ZOPA000001", ("https://one.example/cb",), ("one",)),
    )
    parties = Parties.of_file(directory)
    assert [one.operator for one in parties.callers.everyone] == [found]
    assert parties.slots == {}


def test_the_portal_is_a_caller_with_its_own_certificate_addresses_and_client_ids():
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
    found = portal_of(settings)
    assert (found.operator.org_code, found.operator.serial) == ("ZPTL000001", "9998100002")
    assert found.clients == {"portalatrelay", "portalapis"}  # what it shows us, never what we show it
    assert [found.comes_from(address) for address in ("192.0.2.9", "198.51.100.7", "192.0.2.1")] == [True, True, False]


def test_secrets_of_services_never_come_into_the_plan():
    (found,) = operators_of(registry(organisation(), services=(service("one1"),)))
    assert "scrypt" not in repr(found)
    assert not any("scrypt" in str(getattr(found.services[0], name)) for name in Service.__slots__)


def test_nobody_is_nobody():
    assert Parties.of_file(Directory()).callers.everyone == ()
    assert list(operators_of(registry())) == []
