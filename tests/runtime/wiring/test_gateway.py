"""Tests of the gateway's objects and of their replacement: completely or not at all."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
import yaml
from mydata_sandbox.credentials.certificates import TOKEN_KEYS
from mydata_sandbox.environment.build import build
from mydata_sandbox.parties import INSTITUTIONS, MEDIATED
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from relay.domain.registry import Registry
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.gateway import Relay

PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
    "offers": {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"},
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), datetime.now(UTC))
    environment.close()
    return environment


class Folder:
    """Settings of an environment that can be restored."""

    def __init__(self, environment):
        self.folder = environment.folder
        self.path = environment.settings
        self.originals = {}

    def change(self, name, change):
        file = self.folder / name
        self.originals.setdefault(file, file.read_bytes())
        values = yaml.safe_load(file.read_text())
        change(values)
        file.write_text(yaml.safe_dump(values, allow_unicode=True))

    def load(self, **environ):
        return load_settings(self.path, environ)

    def restore(self):
        for file, content in self.originals.items():
            file.write_bytes(content)


@pytest.fixture
def folder(environment):
    folder = Folder(environment)
    yield folder
    folder.restore()


@pytest.fixture
async def relay(folder):
    relay = Relay(folder.load(), asyncio.get_running_loop())
    yield relay
    await relay.ledger.close()


def apply(relay, folder):
    """Prepares and commits the settings of the folder."""
    relay.commit(relay.join_registry(relay.prepare(folder.load())))


async def test_every_institution_has_a_pool(relay, environment):
    codes = {institution.org_code for institution in environment.institutions.values()}
    assert set(relay.pools) == set(relay.gateway.plan.institutions) == codes
    assert list(relay.contexts) == [0]


async def test_jwks_are_those_in_force_and_read_no_file(relay, folder):
    """A request reads no file: a missing or hanging folder has no effect, and keys change with a reload."""
    kids = [key["kid"] for key in relay.jwks()["keys"]]
    file = folder.folder / "certs" / TOKEN_KEYS / "jwks.json"
    folder.originals[file] = file.read_bytes()
    file.write_text(json.dumps({"keys": json.loads(file.read_text())["keys"][1:]}))
    changed = relay.prepare(folder.load())
    assert [key["kid"] for key in relay.jwks()["keys"]] == kids
    relay.commit(changed)
    file.unlink()
    assert [key["kid"] for key in relay.jwks()["keys"]] == kids[1:]
    assert not any("d" in key for key in relay.jwks()["keys"])


async def test_a_commit_replaces_the_whole_state(relay, folder):
    (followed,) = relay.contexts.values()
    prepared = relay.prepare(folder.load())
    relay.commit(prepared)
    assert relay.state is prepared
    assert (relay.gateway.plan, relay.loaded, relay.pools) == (prepared.plan, prepared.loaded, prepared.pools)
    assert list(relay.contexts.values()) == [followed]
    assert followed.get_context() is prepared.contexts[0]


async def test_parties_that_change_during_a_preparation_stay(relay, folder):
    folder.change("relay.yaml", lambda values: values.update(portal=PORTAL))
    prepared = relay.prepare(folder.load())
    await relay.apply_registry(Registry({}, {}))
    parties = relay.state.parties
    relay.commit(relay.join_registry(prepared))
    assert relay.state.parties is parties
    assert relay.loaded is prepared.loaded
    assert {caller.operator.org_code for caller in relay.gateway.plan.callers.all} == {PORTAL["org_code"]}


async def test_a_commit_of_the_registry_keeps_everything_else(relay):
    before = relay.state
    await relay.apply_registry(Registry({}, {}))
    assert relay.state.parties is not before.parties
    for name in ("loaded", "contexts", "token_verifier", "jwks", "pools", "upstreams", "limits"):
        assert getattr(relay.state, name) is getattr(before, name)


async def test_the_collector_reports_the_current_state(relay, folder):
    relay.count_reloads = lambda: (2, 1)
    apply(relay, folder)
    text = b"".join(relay.collector().write()).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {sample.name: sample.value for sample in samples if not sample.labels}
    assert values["relay_institutions"] == len(INSTITUTIONS) + len(MEDIATED)
    assert (values["relay_plan_reloads"], values["relay_plan_reload_failures"]) == (2, 1)
    (info,) = [sample.labels for sample in samples if sample.name == "relay_info"]
    assert info["plan"] == relay.gateway.plan.fingerprint
    assert info["form"] in {"compiled", "pure"}
    idle = {"org_code": "ZBAA000001", "state": "idle"}
    assert [sample.value for sample in samples if sample.labels == idle] == [0]
