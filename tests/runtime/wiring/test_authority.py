"""Tests of the authority's settings, signer and result keys."""

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.domain.registry import Registry
from relay.infra.tokens.key_folder import add_key
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.authority import (
    build_authority_settings,
    load_result_key,
    open_signer,
    random_serial,
    random_text,
)
from relay.runtime.wiring.credentials import CredentialError

SIGNATURE = {"base_url": "https://c.example", "client_id": "one", "client_secret": "env:S"}
CERTIFIER = {"ca_code": "ZZCERT0001", "name": "One", "kind": "signature", "signature": SIGNATURE}
HASH = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"


def test_authority_settings_come_from_relay_yaml(folder):
    folder.put("relay.yaml", "certifiers", [CERTIFIER])
    folder.put("relay.yaml", "authority", {"request_s": 60, "pages": {"url": "https://pages.example"}})
    settings = build_authority_settings(load_settings(folder.path, {}), Registry({}, {}))
    assert (settings.relay, settings.pages_url, settings.request_s) == ("ZZRELAY001", "https://pages.example", 60)
    assert (settings.tokens.issuer, list(settings.providers)) == ("ZZRELAY001", ["ZBAA000001"])
    assert (list(settings.clients), list(settings.certifiers)) == (["one1", "two1"], ["ZZCERT0001"])
    assert (settings.relay_name, sorted(settings.organisations.values())) == ("Relay", ["One", "Two"])


def test_authority_without_pages_has_no_pages_url(folder):
    assert build_authority_settings(load_settings(folder.path, {}), Registry({}, {})).pages_url == ""


def test_a_client_is_a_service_with_its_secret_hash(folder):
    folder.put("directory.yaml", "operators.0.services.0.client_secret_hash", HASH)
    folder.put("directory.yaml", "operators.0.services.0.app_schemes", ["one"])
    clients = build_authority_settings(load_settings(folder.path, {}), Registry({}, {})).clients
    service = clients["one1"].service
    assert (service.operator, service.callbacks, service.app_schemes) == (
        "ZOPA000001",
        ("https://one.example/cb",),
        ("one",),
    )
    assert (clients["one1"].secret_hash, clients["two1"].secret_hash) == (HASH, "")
    assert HASH not in repr(clients)


def test_signer_uses_the_key_of_the_folder(folder):
    add_key(folder.root / "certs" / "token-keys", "one", 0)
    token, digest = open_signer(load_settings(folder.path, {}).settings.tokens).sign({"jti": "a"}, 1_700_000_000)
    assert (token.count("."), len(digest)) == (2, 32)


def test_a_key_folder_without_keys_is_named(folder):
    with pytest.raises(CredentialError, match=r"token-keys/jwks\.json does not exist"):
        open_signer(load_settings(folder.path, {}).settings.tokens)


@pytest.fixture
def provider(folder):
    """A bank with redirect authentication; its key is in bank.pub."""
    folder.put("relay.yaml", "authority.pages", {"url": "https://pages.example"})
    folder.put("providers/bank.yaml", "authentication", "redirect")
    folder.put("providers/bank.yaml", "redirect", {"url": "https://b.example/page", "public_key": "../bank.pub"})
    return load_settings(folder.path, {}).providers[0]


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_result_key_of_a_redirect_institution_is_loaded(folder, provider):
    key = ec.generate_private_key(ec.SECP256R1())
    folder.write("bank.pub", pem(key))
    assert load_result_key(provider) == key.public_key()


def test_an_institution_without_redirect_has_no_result_key(folder):
    assert load_result_key(load_settings(folder.path, {}).providers[0]) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"bank.pub cannot be read \(No such file or directory\)"),
        (b"Zq7marker", "bank.pub holds none; expected: a public key, PEM"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "bank.pub: the key is not EC P-256"),
        (pem(rsa.generate_private_key(65537, 2048)), "bank.pub: the key is not EC P-256"),
    ],
)
def test_a_result_key_other_than_es256_is_named(folder, provider, content, words):
    if content is not None:
        folder.write("bank.pub", content)
    with pytest.raises(CredentialError, match=words) as raised:
        load_result_key(provider)
    assert "Zq7marker" not in str(raised.value)


def test_serials_and_random_texts_have_their_format_and_differ():
    serials, texts = {random_serial() for _ in range(100)}, {random_text() for _ in range(100)}
    assert all(re.fullmatch("[0-9A-Z]{14}", serial) for serial in serials)
    assert all(re.fullmatch("[0-9A-Za-z_-]{43}", text) for text in texts)
    assert len(serials) == len(texts) == 100
