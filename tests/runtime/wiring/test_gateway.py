"""Tests of the gateway's objects and of their replacement: completely or not at all."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from relay.infra.records.metrics import build_metrics_registry
from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load_settings
from relay.runtime.settings.secret_references import SecretMissing
from relay.runtime.wiring.credentials import CredentialError
from relay.runtime.wiring.gateway import Relay
from relay.sandbox.certificates import TOKEN_KEYS
from relay.sandbox.environment import build


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


def snapshot(relay):
    """Returns everything that a swap may change."""
    gateway = relay.gateway
    return (
        relay.loaded,
        gateway.plan,
        gateway._services,
        gateway._upstreams,
        dict(relay.pools),
        {index: followed.current for index, followed in relay.contexts.items()},
        relay.counters._operator_bucket,
        relay.reloads,
    )


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
    changed = relay.open_settings(folder.load())
    assert [key["kid"] for key in relay.jwks()["keys"]] == kids
    relay.swap(changed)
    file.unlink()
    assert [key["kid"] for key in relay.jwks()["keys"]] == kids[1:]
    assert not any("d" in key for key in relay.jwks()["keys"])


def no_token_keys(folder):
    folder.change("relay.yaml", lambda values: values["tokens"].update(keys="certs"))


def key_of_another_algorithm(folder):
    keys = Path("certs", TOKEN_KEYS, "jwks.json")
    folder.change(keys, lambda values: values["keys"][0].update(alg="RS256", kty="EC"))


def missing_secret(folder):
    folder.change("relay.yaml", lambda values: values["gateway"]["tls"].update(private_key="env:RELAY_TEST_NOTHING"))


def key_of_another_certificate(folder):
    folder.change("relay.yaml", lambda values: values["gateway"]["tls"].update(private_key="file:certs/portal.key.pem"))


def missing_ca_of_the_last_provider(folder):
    folder.change("providers/usury.yaml", lambda values: values.update(ca="nowhere.pem"))


def key_of_another_certificate_at_the_last_provider(folder):
    folder.change("providers/usury.yaml", lambda values: values.update(private_key="file:../certs/portal.key.pem"))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (no_token_keys, CredentialError),
        (key_of_another_algorithm, CredentialError),
        (missing_secret, SecretMissing),
        (key_of_another_certificate, TlsError),
        (missing_ca_of_the_last_provider, CredentialError),
        (key_of_another_certificate_at_the_last_provider, TlsError),
    ],
)
async def test_unusable_settings_change_nothing(relay, folder, spoil, error):
    folder.change("providers/bank.yaml", lambda values: values.update(concurrency=3))
    folder.change(
        "relay.yaml", lambda values: values.update(rates={"operator_provider": {"per_second": 1, "burst": 1}})
    )
    spoil(folder)
    before = snapshot(relay)
    with pytest.raises(error):
        relay.swap(relay.open_settings(folder.load()))
    assert snapshot(relay) == before
    assert not any(pool._is_retired for _, pool in relay.pools.values())


async def test_new_settings_replace_only_what_changed(relay, folder):
    unchanged, changed = relay.pools["ZCDA000001"][1], relay.pools["ZBAA000001"][1]
    (followed,) = relay.contexts.values()
    before = snapshot(relay)
    folder.change("providers/bank.yaml", lambda values: values.update(concurrency=3))
    relay.swap(relay.open_settings(folder.load()))
    assert relay.pools["ZCDA000001"][1] is unchanged
    assert relay.pools["ZBAA000001"][1] is not changed
    assert changed._is_retired
    assert relay.gateway._upstreams["ZBAA000001"][0] is relay.pools["ZBAA000001"][1]
    assert relay.gateway.plan.generation != before[1].generation
    assert relay.gateway._services.token_verifier is not before[2].token_verifier
    assert relay.gateway._services.grants is before[2].grants
    assert list(relay.contexts.values()) == [followed]
    assert followed.get_context() is not before[5][0]
    assert relay.reloads == 1


async def test_an_institution_may_be_added_and_removed(relay, folder):
    bank = folder.folder / "providers" / "bank.yaml"
    folder.originals[bank] = bank.read_bytes()
    removed = relay.pools["ZBAA000001"][1]
    bank.unlink()
    relay.swap(relay.open_settings(folder.load()))
    assert "ZBAA000001" not in relay.pools
    assert "ZBAA000001" not in relay.gateway.plan.institutions
    assert removed._is_retired
    folder.restore()
    relay.swap(relay.open_settings(folder.load()))
    assert "ZBAA000001" in relay.gateway._upstreams


async def test_the_collector_reports_the_current_state(relay, folder):
    registry = build_metrics_registry(relay.collector())
    assert registry.get_sample_value("relay_institutions") == 11
    assert registry.get_sample_value("relay_plan_reloads") == 0
    relay.swap(relay.open_settings(folder.load()))
    generation = relay.gateway.plan.generation
    assert registry.get_sample_value("relay_plan_reloads") == 1
    (info,) = [family for family in registry.collect() if family.name == "relay_info"]
    assert info.samples[0].labels["plan"] == generation
    assert registry.get_sample_value("relay_upstream_pool", {"org_code": "ZBAA000001", "state": "idle"}) == 0
