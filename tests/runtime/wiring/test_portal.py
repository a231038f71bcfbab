"""From settings and registry to the support APIs' office and its probe."""

from relay.domain.registry import Organisation, OrgType, Registry
from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load
from relay.runtime.wiring.portal import probes, support_office_of

PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
    "offers": {
        "client_id": "portalatrelay",
        "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}",
    },
}


def registry(*organisations):
    return Registry({one.org_code: one for one in organisations}, {})


def test_without_a_portal_there_is_no_office(folder):
    assert support_office_of(load(folder.path, {}), registry()) is None


def test_an_office_is_what_settings_and_registry_say(folder):
    folder.put("relay.yaml", "portal", PORTAL)
    folder.put("providers/bank.yaml", "maintenance", [{"day": "sun", "start": "0200", "end": "0400"}])
    known = registry(
        Organisation("ZOPA000001", OrgType.OPERATOR, "one"),
        Organisation("ZRCV000001", OrgType.OTHER, "two", is_receiver=True),
        Organisation("ZBAA000009", OrgType.OWN_API, "three"),
    )
    office = support_office_of(load(folder.path, {}), known)
    assert (office.relay, office.issuer, office.portal.org_code) == ("ZZRELAY001", "ZZRELAY001", "ZPTL000001")
    assert (list(office.members), list(office.calendars)) == (["ZBAA000001"], ["ZBAA000001"])
    assert office.operators == {"ZOPA000001", "ZRCV000001"}


def refuse(provider):
    raise TlsError("no key")


async def test_a_key_that_is_away_leaves_the_probe_unable_to_tell(folder):
    loaded = load(folder.path, {})
    assert await probes(refuse).reaches(loaded.providers[0]) is None
