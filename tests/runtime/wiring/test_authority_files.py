"""What the authority opens at its start and at each reload."""

import ssl
from datetime import UTC, datetime

import pytest
import yaml

from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load
from relay.runtime.wiring.authority_files import open_files
from relay.sandbox.street import build


@pytest.fixture
def street(tmp_path):
    street = build(tmp_path, datetime.now(UTC))
    street.close()
    return street


def test_tls_toward_every_institution_is_ready_and_its_keys_are_read(street):
    opened = open_files(load(street.settings, {}))
    codes = {provider.org_code for provider in opened.loaded.providers}
    assert set(opened.contexts) == set(opened.result_keys) == codes
    assert all(
        (provider.ca is None) == (opened.context_of(provider) is None)
        and isinstance(opened.context_of(provider), ssl.SSLContext | None)
        for provider in opened.loaded.providers
    )
    assert opened.certificates


def test_a_key_of_another_certificate_is_refused(street):
    bank = street.folder / "providers" / "bank.yaml"
    other = next((street.folder / "certs").glob("*operator*.key.pem"))
    values = yaml.safe_load(bank.read_text("utf-8"))
    bank.write_text(yaml.safe_dump(values | {"private_key": f"file:{other}"}, allow_unicode=True), "utf-8")
    with pytest.raises(TlsError, match=r"relay\.pem with its private key"):
        open_files(load(street.settings, {}))
