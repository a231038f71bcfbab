"""Tokens signed with the keys of a folder: key selection, algorithms, reading."""

import hashlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from relay.domain.authorization.token import REFRESH
from relay.domain.fault import Refusal
from relay.infra.tokens.key_folder import TokenKey, TokenKeyError, add_key, read_keys, write_key_set
from relay.infra.tokens.signing import SigningKey, TokenSigner, TokenTooLong
from relay.infra.tokens.verification import Verifier, VerifyingKey

NOW = 1_800_000_000
CLAIMS = {
    "iss": "ZRLA000001",
    "aud": "ZOPA000001",
    "exp": NOW + 60,
    "iat": NOW,
    "jti": "one",
    "scope": "bank.list",
    "org_code": "ZBAA000001",
    "client_id": "ZOPA000001SVC01",
}


@pytest.fixture
def folder(tmp_path):
    add_key(tmp_path / "keys", "old", NOW - 100)
    add_key(tmp_path / "keys", "new", NOW)
    add_key(tmp_path / "keys", "next", NOW + 100)
    return tmp_path / "keys"


@pytest.fixture
def signer(folder):
    return TokenSigner.from_folder(folder, "ZRLA000001", 5.0)


def header(token):
    return jwt.get_unverified_header(token)


@pytest.mark.parametrize(
    ("now", "kid"),
    [(NOW - 100, "old"), (NOW - 1, "old"), (NOW, "new"), (NOW + 99, "new"), (NOW + 100, "next"), (NOW + 10**6, "next")],
)
def test_the_newest_key_at_the_signing_time_signs(signer, now, kid):
    token, _ = signer.sign(CLAIMS, now)
    assert header(token) == {"alg": "ES256", "kid": kid, "typ": "JWT"}


def test_signing_before_the_first_key_is_an_error(signer):
    with pytest.raises(TokenKeyError, match="relay keys rotate"):
        signer.sign(CLAIMS, NOW - 101)


def test_the_same_claims_have_the_same_digest(signer):
    (first, digest), (second, second_digest) = (
        signer.sign(CLAIMS, NOW),
        signer.sign(dict(reversed(CLAIMS.items())), NOW),
    )
    assert digest == second_digest == hashlib.sha256(first.rpartition(".")[0].encode()).digest()
    assert first.rpartition(".")[0] == second.rpartition(".")[0]
    assert signer.sign(CLAIMS | {"jti": "two"}, NOW)[1] != digest


def test_tokens_of_all_keys_are_read(signer):
    for now in (NOW - 100, NOW, NOW + 100):
        token, _ = signer.sign(CLAIMS, now)
        assert signer.read(token, NOW).jti == "one"


def test_a_token_verifies_with_the_published_key_set(signer, folder):
    token, _ = signer.sign(CLAIMS, NOW)
    keys = {key["kid"]: jwt.PyJWK(key) for key in json.loads((folder / "jwks.json").read_text())["keys"]}
    assert (
        jwt.decode(token, keys["new"], audience="ZOPA000001", options={"verify_exp": False, "verify_iat": False})
        == CLAIMS
    )


@pytest.mark.parametrize(
    ("changes", "use", "fault"),
    [
        ({}, REFRESH, "token_malformed"),
        ({"use": "refresh"}, "", "token_malformed"),
        ({"exp": NOW}, "", "token_expired"),
        ({"iss": "ZRLB000001"}, "", "token_untrusted"),
        ({"iat": NOW + 6}, "", "token_malformed"),
    ],
)
def test_a_token_that_does_not_fit_is_refused(signer, changes, use, fault):
    token, _ = signer.sign(CLAIMS | changes, NOW)
    with pytest.raises(Refusal) as refused:
        signer.read(token, NOW, use)
    assert refused.value.fault.name == fault


@pytest.mark.parametrize("token", ["", "한글", "a.b.c", "x" * 5000])
def test_a_malformed_token_is_refused(signer, token):
    with pytest.raises(Refusal) as refused:
        signer.read(token, NOW)
    assert refused.value.fault.name == "token_malformed"


def test_a_token_longer_than_the_standard_allows_is_not_signed(signer):
    with pytest.raises(TokenTooLong):
        signer.sign(CLAIMS | {"scope": "x" * 1200}, NOW)


@pytest.mark.parametrize(
    ("algorithm", "private"),
    [
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("PS256", rsa.generate_private_key(65537, 2048)),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_every_supported_algorithm_signs(tmp_path, algorithm, private):
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "one.pem").write_bytes(pem)
    write_key_set(tmp_path, [TokenKey("one", algorithm, private.public_key(), NOW)])
    signer = TokenSigner.from_folder(tmp_path, "ZRLA000001", 5.0)
    token, _ = signer.sign(CLAIMS, NOW)
    assert header(token)["alg"] == algorithm
    assert signer.read(token, NOW).jti == "one"


def test_a_verify_only_key_needs_no_private_key(folder, signer):
    token, _ = signer.sign(CLAIMS, NOW)
    keys = [TokenKey(key.kid, key.algorithm, key.public, None) for key in read_keys(folder) if key.kid == "new"]
    write_key_set(folder, [*keys, *(key for key in read_keys(folder) if key.kid == "old")])
    (folder / "new.pem").unlink()
    reloaded = TokenSigner.from_folder(folder, "ZRLA000001", 5.0)
    assert reloaded.read(token, NOW).jti == "one"
    assert header(reloaded.sign(CLAIMS, NOW)[0])["kid"] == "old"


def test_a_missing_private_key_is_named(folder):
    (folder / "old.pem").unlink()
    with pytest.raises(TokenKeyError, match=r"old\.pem"):
        TokenSigner.from_folder(folder, "ZRLA000001", 5.0)


def test_a_private_key_of_another_kid_is_named(folder):
    (folder / "new.pem").write_bytes((folder / "old.pem").read_bytes())
    with pytest.raises(TokenKeyError, match="new"):
        TokenSigner.from_folder(folder, "ZRLA000001", 5.0)


def test_a_private_key_is_not_in_the_repr():
    private = ec.generate_private_key(ec.SECP256R1())
    key = SigningKey("one", "ES256", NOW, private)
    assert "private" not in repr(key)
    verifier = Verifier({"one": VerifyingKey("ES256", private.public_key())}, "ZRLA000001", 5.0)
    assert TokenSigner([key], verifier).sign(CLAIMS, NOW)[0]


@pytest.mark.parametrize("claims", [{"exp": NOW - 10**7}, {"use": REFRESH}, {"iat": NOW + 10**6}], ids=str)
def test_an_issued_token_is_recognized_at_any_time(signer, claims):
    token, _ = signer.sign(CLAIMS | claims, NOW)
    assert signer.issued(token).jti == "one"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"use": "manage"}, "token_malformed"),
        ({"iss": "ZRLB000001"}, "token_untrusted"),
        ({"jti": ""}, "token_malformed"),
    ],
    ids=str,
)
def test_another_issuer_or_use_is_not_an_issued_token(signer, claims, name):
    token, _ = signer.sign(CLAIMS | claims, NOW)
    with pytest.raises(Refusal, match=name):
        signer.issued(token)


def test_the_same_claims_give_the_same_token(folder, signer):
    reloaded = TokenSigner.from_folder(folder, "ZRLA000001", 5.0)
    assert signer.sign(CLAIMS, NOW) == signer.sign(CLAIMS, NOW) == reloaded.sign(CLAIMS, NOW)
    assert signer.sign(CLAIMS, NOW)[0] != signer.sign(CLAIMS | {"jti": "two"}, NOW)[0]
    assert signer.read(signer.sign(CLAIMS, NOW)[0], NOW).jti == "one"
