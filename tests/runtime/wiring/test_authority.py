"""From settings to the authority's office, and the materials it needs."""

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.domain.registry import Registry
from relay.infra.tokens.key_folder import add_key
from relay.runtime.settings.loading import load
from relay.runtime.wiring.authority import office_of, random_text, result_key, serial, signer_of
from relay.runtime.wiring.credentials import MaterialError

DESK = {"base_url": "https://c.example", "client_id": "one", "client_secret": "env:S"}
CERTIFIER = {"ca_code": "ZZCERT0001", "name": "One", "kind": "signature", "signature": DESK}
HASH = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"


def test_an_office_is_what_the_settings_say(folder):
    folder.put("relay.yaml", "certifiers", [CERTIFIER])
    folder.put("relay.yaml", "authority", {"request_s": 60, "pages": {"url": "https://pages.example"}})
    office = office_of(load(folder.path, {}), Registry({}, {}))
    assert (office.relay, office.pages_url, office.request_s) == ("ZZRELAY001", "https://pages.example", 60)
    assert (office.tokens.issuer, list(office.providers)) == ("ZZRELAY001", ["ZBAA000001"])
    assert (list(office.clients), list(office.certifiers)) == (["one1", "two1"], ["ZZCERT0001"])
    assert (office.relay_name, sorted(office.organisations.values())) == ("Relay", ["One", "Two"])


def test_an_office_without_pages_has_no_address_for_them(folder):
    assert office_of(load(folder.path, {}), Registry({}, {})).pages_url == ""


def test_a_client_is_a_service_of_its_operator_with_the_hash_of_its_secret(folder):
    folder.put("directory.yaml", "operators.0.services.0.client_secret_hash", HASH)
    folder.put("directory.yaml", "operators.0.services.0.app_schemes", ["one"])
    clients = office_of(load(folder.path, {}), Registry({}, {})).clients
    one = clients["one1"].service
    assert (one.operator, one.callbacks, one.app_schemes) == ("ZOPA000001", ("https://one.example/cb",), ("one",))
    assert (clients["one1"].secret_hash, clients["two1"].secret_hash) == (HASH, "")
    assert HASH not in repr(clients)


def test_a_signer_signs_with_the_folders_key(folder):
    add_key(folder.root / "certs" / "token-keys", "one", 0)
    token, digest = signer_of(load(folder.path, {}).settings.tokens).sign({"jti": "a"}, 1_700_000_000)
    assert (token.count("."), len(digest)) == (2, 32)


def test_a_folder_without_keys_is_named(folder):
    with pytest.raises(MaterialError, match=r"token-keys/jwks\.json is not there"):
        signer_of(load(folder.path, {}).settings.tokens)


@pytest.fixture
def provider(folder):
    """The bank, sending customers to its own page; its key is in bank.pub."""
    folder.put("relay.yaml", "authority.pages", {"url": "https://pages.example"})
    folder.put("providers/bank.yaml", "authentication", "redirect")
    folder.put("providers/bank.yaml", "redirect", {"url": "https://b.example/page", "public_key": "../bank.pub"})
    return load(folder.path, {}).providers[0]


def pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_key_of_an_institutions_results_is_read(folder, provider):
    key = ec.generate_private_key(ec.SECP256R1())
    folder.write("bank.pub", pem(key))
    assert result_key(provider) == key.public_key()


def test_who_sends_nobody_to_a_page_of_its_own_has_no_key(folder):
    assert result_key(load(folder.path, {}).providers[0]) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "bank.pub: no public key in PEM"),
        (b"Zq7marker", "bank.pub: no public key in PEM"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "bank.pub: the key is not EC P-256"),
        (pem(rsa.generate_private_key(65537, 2048)), "bank.pub: the key is not EC P-256"),
    ],
)
def test_a_key_that_verifies_no_es256_is_named(folder, provider, content, words):
    if content is not None:
        folder.write("bank.pub", content)
    with pytest.raises(MaterialError, match=words) as found:
        result_key(provider)
    assert "Zq7marker" not in str(found.value)


def test_serials_and_random_texts_are_of_their_form_and_never_the_same():
    serials, texts = {serial() for _ in range(100)}, {random_text() for _ in range(100)}
    assert all(re.fullmatch("[0-9A-Z]{14}", one) for one in serials)
    assert all(re.fullmatch("[0-9A-Za-z_-]{43}", one) for one in texts)
    assert len(serials) == len(texts) == 100
