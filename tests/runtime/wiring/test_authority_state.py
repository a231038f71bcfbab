"""Tests of the authority's state: prepared from settings and registry, without side effects."""

import ssl
from datetime import UTC, datetime

import pytest
import yaml
from mydata_sandbox.environment.build import build

from relay.domain.registry import Registry
from relay.infra.certifiers.verification import open_consent_verifier
from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.authority_state import prepare_authority_state

EMPTY = Registry({}, {})


@pytest.fixture
def environment(tmp_path):
    environment = build(tmp_path, datetime.now(UTC))
    environment.close()
    return environment


@pytest.fixture
async def prepare(environment):
    async with open_consent_verifier((), "ZZRELAY001", 1) as verifier:
        yield lambda: prepare_authority_state(load_settings(environment.settings, {}), EMPTY, verifier)


async def test_tls_context_and_result_key_of_each_institution_are_loaded(prepare):
    state = prepare()
    codes = {provider.org_code for provider in state.loaded.providers}
    assert set(state.contexts) == set(state.result_keys) == codes
    assert all(
        isinstance(state.contexts[provider.org_code], type(None) if provider.ca is None else ssl.SSLContext)
        for provider in state.loaded.providers
    )
    assert set(state.certifiers) == {certifier.ca_code for certifier in state.loaded.settings.certifiers}


async def test_a_key_of_another_certificate_is_refused(environment, prepare):
    bank = environment.folder / "providers" / "bank.yaml"
    other = next((environment.folder / "certs").glob("*operator*.key.pem"))
    values = yaml.safe_load(bank.read_text("utf-8"))
    bank.write_text(yaml.safe_dump(values | {"private_key": f"file:{other}"}, allow_unicode=True), "utf-8")
    with pytest.raises(TlsError, match=r"relay\.pem with its private key"):
        prepare()


async def test_another_registry_changes_only_what_depends_on_it(prepare):
    state = prepare()
    assert state.with_registry(EMPTY) is state
    other = Registry({}, {}, number=1)
    changed = state.with_registry(other)
    assert (changed.registry, changed.oauth is state.oauth) == (other, False)
    assert (changed.signer, changed.institutions) == (state.signer, state.institutions)
