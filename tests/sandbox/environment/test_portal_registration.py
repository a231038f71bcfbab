"""The portal of a sandbox has all parties with their certificates and secrets."""

from mydata_sandbox.environment.portal_registration import build_portal, iter_organisations, iter_services, now
from mydata_sandbox.parties import IDENTITY_CERTIFIER, MEDIATED_BY_CODE, PORTAL_CODE, RELAY_CODE, SIGNATURE_CERTIFIER

from relay.domain.ids import INDUSTRIES
from relay.domain.registry import OrgType
from relay.standard.catalogue import load_catalogue


def test_institutions_are_members_of_the_relay(with_portal):
    members = [entry for entry in iter_organisations(with_portal, with_portal.portal) if entry.relay]
    assert {entry.relay for entry in members} == {RELAY_CODE}
    assert tuple(entry.industry for entry in members[: len(INDUSTRIES)]) == INDUSTRIES
    assert [entry.org_code for entry in members[len(INDUSTRIES) :]] == list(MEDIATED_BY_CODE)
    assert {entry.org_type for entry in members} == {OrgType.THROUGH_RELAY}


def test_parties_are_registered_with_certificate_serials(with_portal):
    certs = with_portal.certificates
    serials = {entry.org_code: entry.serial_num for entry in iter_organisations(with_portal, with_portal.portal)}
    assert serials[RELAY_CODE] == certs.relay.serial_number
    assert serials["ZOPA000002"] == certs.operators[1].serial_number
    assert serials["ZBAA000001"] == certs.providers["bank"].serial_number
    assert serials[SIGNATURE_CERTIFIER] == certs.certifiers[1].serial_number
    assert serials[PORTAL_CODE] == certs.portal.serial_number
    assert serials[IDENTITY_CERTIFIER] == ""  # 지원-002 tells none for org_type 05


def test_accounts_always_have_certificate_serials(with_portal):
    account = with_portal.portal.accounts[IDENTITY_CERTIFIER]
    assert account.serial_num == with_portal.certificates.certifiers[0].serial_number


def test_services_have_their_operators_secrets(with_portal):
    secrets = {entry.client_id: (entry.operator, entry.client_secret) for entry in iter_services(with_portal)}
    for operator in with_portal.operators:
        for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True):
            assert secrets[client_id] == (operator.org_code, secret)


def test_a_new_portal_has_all_parties_and_no_call(with_portal):
    portal = build_portal(with_portal, with_portal.portal, load_catalogue())
    assert len(portal.service.registry.organisations) == len(INDUSTRIES) + len(MEDIATED_BY_CODE) + 6
    assert len(portal.service.registry.services) == 3
    assert list(portal.received) == []
    assert now().tzinfo is not None
