"""Tokens, ledger, authority, certifiers: what their sections take, and what they need of each other."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.authority import AuthoritySettings, Certifier, IdentityDesk, LedgerSettings, Pages, Tokens

KEY = {"kid": "one", "key": "env:K"}
TOKENS = {"issuer": "ZZRELAY001", "keys": "keys"}
LEDGER = {"url": "sqlite:ledger.db", "customer_keys": [KEY]}
DESK = {"host": "h", "port": 1, "cp_code": "C1", "certificate": "c", "private_key": "env:K", "responder": "r"}
IDENTITY = {"ca_code": "ZZCERT0001", "name": "One", "kind": "identity", "roots": ["a"], "identity": DESK}
API = {"base_url": "https://c.example", "client_id": "one", "client_secret": "env:S"}
SIGNATURE = {"ca_code": "ZZCERT0002", "name": "Two", "kind": "signature", "signature": API}
GOOD = {
    Tokens: TOKENS,
    LedgerSettings: LEDGER,
    AuthoritySettings: {},
    Pages: {"url": "https://pages.example"},
    Certifier: IDENTITY,
    IdentityDesk: DESK,
}


@pytest.mark.parametrize(
    "url", ["sqlite:ledger.db", "file:url.txt", "env:URL", "postgresql://h/d", "postgresql://u@/d"]
)
def test_a_ledger_is_a_file_a_server_or_a_reference_to_one(url):
    assert LedgerSettings.model_validate(LEDGER | {"url": url}).url == url


def test_files_are_relative_to_the_file_that_names_them(tmp_path):
    found = LedgerSettings.model_validate(LEDGER, context={"folder": tmp_path})
    assert found.url == f"sqlite:{tmp_path / 'ledger.db'}"
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
def test_what_leads_to_no_ledger_or_shows_a_password_is_refused(url):
    with pytest.raises(ValidationError) as found:
        LedgerSettings.model_validate(LEDGER | {"url": url})
    assert "secret@" not in found.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (LedgerSettings, {"customer_keys": [KEY, KEY]}, r"customer_keys\[1\].kid: stands twice"),
        (Certifier, {"roots": []}, "roots: is empty"),
        (Certifier, {"identity": None}, "identity: is missing"),
        (Certifier, {"kind": "signature"}, "signature: is missing"),
    ],
)
def test_sections_that_need_something_say_so(model, values, words):
    with pytest.raises(ValidationError, match=words):
        model.model_validate(GOOD[model] | values)


@pytest.mark.parametrize(
    ("model", "values", "key"),
    [
        (Tokens, {"issuer": "relay"}, "issuer"),
        (Tokens, {"keys": ""}, "keys"),
        (Tokens, {"access_days": 91}, "access_days"),
        (Tokens, {"access_days": 0}, "access_days"),
        (Tokens, {"refresh_days": 366}, "refresh_days"),
        (Tokens, {"code_s": 601}, "code_s"),
        (Tokens, {"leeway_s": 301}, "leeway_s"),
        (Tokens, {"memory": 1}, "memory"),
        (LedgerSettings, {"customer_keys": []}, "customer_keys"),
        (LedgerSettings, {"customer_keys": [KEY | {"key": "AAAA"}]}, "customer_keys.0.key"),
        (LedgerSettings, {"customer_keys": [KEY | {"kid": "a b"}]}, "customer_keys.0.kid"),
        (LedgerSettings, {"poll_s": 1.1}, "poll_s"),  # revocation reaches every gateway within a second
        (LedgerSettings, {"trust_s": 0}, "trust_s"),
        (AuthoritySettings, {"verifiers": 0}, "verifiers"),
        (AuthoritySettings, {"request_s": 59}, "request_s"),
        (AuthoritySettings, {"pages": {}}, "pages.url"),
        (Pages, {"url": "pages.example"}, "url"),
        (Pages, {"port": 65536}, "port"),
        (Pages, {"tls": {"certificate": "a", "private_key": "secret"}}, "tls.private_key"),
        (IdentityDesk, {"port": 0}, "port"),
        (IdentityDesk, {"cp_code": "1234567890123"}, "cp_code"),
        (Certifier, {"ca_code": "short"}, "ca_code"),
        (Certifier, {"kind": "both"}, "kind"),
    ],
)
def test_a_value_out_of_its_range_is_named(model, values, key):
    with pytest.raises(ValidationError) as found:
        model.model_validate(GOOD[model] | values)
    assert ".".join(map(str, found.value.errors()[0]["loc"])) == key


@pytest.mark.parametrize("values", [IDENTITY, SIGNATURE], ids=lambda values: values["kind"])
def test_each_kind_of_certifier_has_its_desk(values):
    found = Certifier.model_validate(values)
    assert (found.identity is None) is (found.kind == "signature")
