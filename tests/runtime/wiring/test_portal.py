"""Tests of the support APIs' settings and probes."""

from relay.domain.registry import Organisation, OrgType, Registry
from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.portal import build_probes, build_support_settings

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
    return Registry({organisation.org_code: organisation for organisation in organisations}, {})


def test_support_settings_need_a_portal(folder):
    assert build_support_settings(load_settings(folder.path, {}), registry()) is None


def test_support_settings_come_from_settings_and_registry(folder):
    folder.put("relay.yaml", "portal", PORTAL)
    folder.put("providers/bank.yaml", "maintenance", [{"day": "sun", "start": "0200", "end": "0400"}])
    known = registry(
        Organisation("ZOPA000001", OrgType.OPERATOR, "one"),
        Organisation("ZRCV000001", OrgType.OTHER, "two", is_receiver=True),
        Organisation("ZBAA000009", OrgType.OWN_API, "three"),
    )
    settings = build_support_settings(load_settings(folder.path, {}), known)
    assert (settings.relay, settings.issuer, settings.portal.org_code) == ("ZZRELAY001", "ZZRELAY001", "ZPTL000001")
    assert (list(settings.members), list(settings.calendars)) == (["ZBAA000001"], ["ZBAA000001"])
    assert settings.operators == {"ZOPA000001", "ZRCV000001"}


def refuse(provider):
    raise TlsError("no key")


async def test_a_probe_without_its_key_has_no_result(folder):
    loaded = load_settings(folder.path, {})
    assert await build_probes(refuse, "").reaches(loaded.providers[0]) is None
