"""Tests of the files that the authority opens at its start and at each reload."""

import ssl
from datetime import UTC, datetime

import pytest
import yaml

from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.authority_files import open_authority_files
from relay.sandbox.environment import build


@pytest.fixture
def environment(tmp_path):
    environment = build(tmp_path, datetime.now(UTC))
    environment.close()
    return environment


def test_tls_context_and_result_key_of_each_institution_are_loaded(environment):
    files = open_authority_files(load_settings(environment.settings, {}))
    codes = {provider.org_code for provider in files.loaded.providers}
    assert set(files.contexts) == set(files.result_keys) == codes
    assert all(
        (provider.ca is None) == (files.tls_context(provider) is None)
        and isinstance(files.tls_context(provider), ssl.SSLContext | None)
        for provider in files.loaded.providers
    )
    assert files.certificates


def test_a_key_of_another_certificate_is_refused(environment):
    bank = environment.folder / "providers" / "bank.yaml"
    other = next((environment.folder / "certs").glob("*operator*.key.pem"))
    values = yaml.safe_load(bank.read_text("utf-8"))
    bank.write_text(yaml.safe_dump(values | {"private_key": f"file:{other}"}, allow_unicode=True), "utf-8")
    with pytest.raises(TlsError, match=r"relay\.pem with its private key"):
        open_authority_files(load_settings(environment.settings, {}))
