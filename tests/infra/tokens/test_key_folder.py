"""The folder of token keys: written, read, rejected."""

import json
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from relay.infra.tokens.key_folder import (
    TokenKeyError,
    add_key,
    check_private_keys,
    read_keys,
    read_private_key,
    to_jwk,
)

P384 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
P256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
SECRET = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
SHORT = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)


def test_an_added_key_is_read_with_its_private_key(tmp_path):
    added = add_key(tmp_path / "keys", "one", 1000)
    (key,) = read_keys(tmp_path / "keys")
    assert (key.kid, key.algorithm, key.signs_from) == ("one", "ES256", 1000)
    assert key.public == added.public == read_private_key(tmp_path / "keys", "one").public_key()


def test_a_private_key_is_readable_by_its_owner_only(tmp_path):
    add_key(tmp_path, "one", 0)
    assert stat.S_IMODE((tmp_path / "one.pem").stat().st_mode) == 0o600
    assert "d" not in to_jwk(read_keys(tmp_path)[0])


def test_keys_are_appended_and_kids_are_unique(tmp_path):
    add_key(tmp_path, "one", 0)
    add_key(tmp_path, "two", 60)
    assert [key.kid for key in read_keys(tmp_path)] == ["one", "two"]
    with pytest.raises(TokenKeyError, match="already has a key two"):
        add_key(tmp_path, "two", 90)


@pytest.mark.parametrize(
    "jwks",
    [
        [],
        [{**P384, "kid": "one", "alg": "ES256"}],
        [{**P256, "kid": "one", "alg": "RS256"}],
        [{**P256, "kid": "one", "alg": "none"}],
        [{**P256, "kid": "one"}],
        [{**P256, "alg": "ES256"}],
        [{**P256, "kid": 1, "alg": "ES256"}],
        [{**P256, "kid": "one", "alg": "ES256", "signs_from": "0"}],
        [{**SECRET, "kid": "one", "alg": "ES256"}],
        [{**SHORT, "kid": "one", "alg": "RS256"}],
        [{**P256, "kid": "one", "alg": "ES256"}] * 2,
        "text",
    ],
)
def test_an_invalid_key_set_is_refused(tmp_path, jwks):
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": jwks}))
    with pytest.raises(TokenKeyError, match=r"jwks\.json"):
        read_keys(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_an_unusable_private_key_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "one.pem").write_bytes(content)
    with pytest.raises(TokenKeyError, match=r"one\.pem"):
        read_private_key(tmp_path, "one")


def test_each_key_that_signs_needs_its_private_key(tmp_path):
    keys = add_key(tmp_path, "one", 0), add_key(tmp_path, "two", 60)
    check_private_keys(tmp_path, keys)
    (tmp_path / "one.pem").unlink()
    with pytest.raises(TokenKeyError, match=r"one\.pem cannot be read"):
        check_private_keys(tmp_path, keys)
    (tmp_path / "two.pem").rename(tmp_path / "one.pem")
    with pytest.raises(TokenKeyError, match=r"one\.pem is not the private key of this kid"):
        check_private_keys(tmp_path, keys)


def test_a_folder_without_private_keys_only_verifies(tmp_path):
    key = add_key(tmp_path, "one", 0)
    (tmp_path / "one.pem").unlink()
    check_private_keys(tmp_path, [key])
