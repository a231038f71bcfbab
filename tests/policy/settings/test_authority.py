"""Sections for tokens, the ledger, the authority and certifiers: allowed values, and keys that depend on others."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.authority import (
    AuthoritySettings,
    CertifierSettings,
    IdentityServiceSettings,
    LedgerSettings,
    PagesSettings,
    TokenSettings,
)

KEY = {"kid": "one", "key": "env:K"}
TOKENS = {"issuer": "ZZRELAY001", "keys": "keys"}
LEDGER = {"url": "sqlite:ledger.db", "customer_keys": [KEY]}
SERVICE = {"host": "h", "port": 1, "cp_code": "C1", "certificate": "c", "private_key": "env:K", "responder": "r"}
IDENTITY = {"ca_code": "ZZCERT0001", "name": "One", "kind": "identity", "roots": ["a"], "identity": SERVICE}
API = {"base_url": "https://c.example", "client_id": "one", "client_secret": "env:S"}
SIGNATURE = {"ca_code": "ZZCERT0002", "name": "Two", "kind": "signature", "signature": API}
GOOD = {
    TokenSettings: TOKENS,
    LedgerSettings: LEDGER,
    AuthoritySettings: {},
    PagesSettings: {"url": "https://pages.example"},
    CertifierSettings: IDENTITY,
    IdentityServiceSettings: SERVICE,
}


@pytest.mark.parametrize(
    "url", ["sqlite:ledger.db", "file:url.txt", "env:URL", "postgresql://h/d", "postgresql://u@/d"]
)
def test_a_ledger_url_is_a_file_a_server_or_a_reference(url):
    assert LedgerSettings.model_validate(LEDGER | {"url": url}).url == url


def test_paths_are_relative_to_the_settings_file(tmp_path):
    settings = LedgerSettings.model_validate(LEDGER, context={"folder": tmp_path})
    assert settings.url == f"sqlite:{tmp_path / 'ledger.db'}"
    assert AuthoritySettings.model_validate({}, context={"folder": tmp_path}).socket == str(tmp_path / "authority.sock")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h/d",
        "mysql://h/d",
        "sqlite:",
        "ledger.db",
        "",
        "postgresql:",
        "postgresql://h/a b",
        "env:",
    ],
)
def test_a_bad_ledger_url_or_one_with_a_password_is_refused(url):
    with pytest.raises(ValidationError) as caught:
        LedgerSettings.model_validate(LEDGER | {"url": url})
    assert "secret@" not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (LedgerSettings, {"customer_keys": [KEY, KEY]}, r"customer_keys\[1\].kid: is a duplicate"),
        (CertifierSettings, {"roots": []}, "roots: is empty"),
        (
            CertifierSettings,
            {"identity": None},
            "identity: is missing, but kind is identity; expected: a section ",
        ),
        (
            CertifierSettings,
            {"kind": "signature"},
            "signature: is missing, but kind is signature; expected: a section ",
        ),
    ],
)
def test_a_missing_key_names_the_key_that_requires_it(model, values, words):
    with pytest.raises(ValidationError, match=words):
        model.model_validate(GOOD[model] | values)


@pytest.mark.parametrize(
    ("model", "values", "key"),
    [
        (TokenSettings, {"issuer": "relay"}, "issuer"),
        (TokenSettings, {"keys": ""}, "keys"),
        (TokenSettings, {"access_days": 91}, "access_days"),
        (TokenSettings, {"access_days": 0}, "access_days"),
        (TokenSettings, {"refresh_days": 366}, "refresh_days"),
        (TokenSettings, {"code_s": 601}, "code_s"),
        (TokenSettings, {"leeway_s": 301}, "leeway_s"),
        (TokenSettings, {"memory": 1}, "memory"),
        (LedgerSettings, {"customer_keys": []}, "customer_keys"),
        (LedgerSettings, {"customer_keys": [KEY | {"key": "AAAA"}]}, "customer_keys.0.key"),
        (LedgerSettings, {"customer_keys": [KEY | {"kid": "a b"}]}, "customer_keys.0.kid"),
        (LedgerSettings, {"poll_s": 1.1}, "poll_s"),  # revocation reaches every gateway within a second
        (LedgerSettings, {"trust_s": 0}, "trust_s"),
        (AuthoritySettings, {"verifiers": 0}, "verifiers"),
        (AuthoritySettings, {"request_s": 59}, "request_s"),
        (AuthoritySettings, {"pages": {}}, "pages.url"),
        (PagesSettings, {"url": "pages.example"}, "url"),
        (PagesSettings, {"port": 65536}, "port"),
        (PagesSettings, {"tls": {"certificate": "a", "private_key": "secret"}}, "tls.private_key"),
        (IdentityServiceSettings, {"port": 0}, "port"),
        (IdentityServiceSettings, {"cp_code": "1234567890123"}, "cp_code"),
        (CertifierSettings, {"ca_code": "short"}, "ca_code"),
        (CertifierSettings, {"kind": "both"}, "kind"),
    ],
)
def test_an_invalid_value_is_named_by_its_key(model, values, key):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(GOOD[model] | values)
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == key


@pytest.mark.parametrize("values", [IDENTITY, SIGNATURE], ids=lambda values: values["kind"])
def test_a_certifier_has_the_section_of_its_kind(values):
    certifier = CertifierSettings.model_validate(values)
    assert (certifier.identity is None) is (certifier.kind == "signature")
