"""The street's portal knows everybody who lives there, as their certificates and secrets say."""

from relay.domain.ids import INDUSTRIES
from relay.domain.registry import OrgType
from relay.sandbox.houses import PORTAL_CODE, RELAY_CODE
from relay.sandbox.registered import iter_organisations, iter_services, now, portal_of
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER
from relay.standard.catalogue import load_catalogue


def test_institutions_are_members_of_the_relay(with_portal):
    members = [one for one in iter_organisations(with_portal, with_portal.portal) if one.relay]
    assert {one.relay for one in members} == {RELAY_CODE}
    assert tuple(one.industry for one in members) == INDUSTRIES
    assert {one.org_type for one in members} == {OrgType.THROUGH_RELAY}


def test_parties_are_registered_with_certificate_serials(with_portal):
    certs = with_portal.certificates
    told = {one.org_code: one.serial_num for one in iter_organisations(with_portal, with_portal.portal)}
    assert told[RELAY_CODE] == certs.relay.serial_number
    assert told["ZOPA000002"] == certs.operators[1].serial_number
    assert told["ZBAA000001"] == certs.providers["bank"].serial_number
    assert told[SIGNATURE_CERTIFIER] == certs.certifiers[1].serial_number
    assert told[PORTAL_CODE] == certs.portal.serial_number
    assert told[IDENTITY_CERTIFIER] == ""  # 지원-002 tells none for org_type 05


def test_accounts_always_have_certificate_serials(with_portal):
    account = with_portal.portal.accounts[IDENTITY_CERTIFIER]
    assert account.serial_num == with_portal.certificates.certifiers[0].serial_number


def test_services_have_their_operators_secrets(with_portal):
    told = {one.client_id: (one.operator, one.client_secret) for one in iter_services(with_portal)}
    for operator in with_portal.operators:
        for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True):
            assert told[client_id] == (operator.org_code, secret)


def test_a_new_portal_has_all_parties_and_no_call(with_portal):
    portal = portal_of(with_portal, with_portal.portal, load_catalogue())
    assert len(portal.desk.registry.organisations) == 17
    assert len(portal.desk.registry.services) == 3
    assert list(portal.received) == []
    assert now().tzinfo is not None
