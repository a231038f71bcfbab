"""The folder of token keys: made, read, refused."""

import json
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from relay.infra.tokens.key_folder import TokenKeyProblem, add_key, private_key, read_keys, row_of

P384 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
P256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
SECRET = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
SHORT = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)


def test_a_key_that_was_made_is_read_again_with_both_halves(tmp_path):
    made = add_key(tmp_path / "keys", "one", 1000)
    (read,) = read_keys(tmp_path / "keys")
    assert (read.kid, read.algorithm, read.signs_from) == ("one", "ES256", 1000)
    assert read.public == made.public == private_key(tmp_path / "keys", "one").public_key()


def test_a_private_key_is_for_its_owner_alone(tmp_path):
    add_key(tmp_path, "one", 0)
    assert stat.S_IMODE((tmp_path / "one.pem").stat().st_mode) == 0o600
    assert "d" not in row_of(read_keys(tmp_path)[0])


def test_a_second_key_stands_behind_the_first_and_a_kid_stands_once(tmp_path):
    add_key(tmp_path, "one", 0)
    add_key(tmp_path, "two", 60)
    assert [key.kid for key in read_keys(tmp_path)] == ["one", "two"]
    with pytest.raises(TokenKeyProblem, match="has a key two already"):
        add_key(tmp_path, "two", 90)


@pytest.mark.parametrize(
    "rows",
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
def test_a_set_that_pins_nothing_is_refused(tmp_path, rows):
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": rows}))
    with pytest.raises(TokenKeyProblem, match=r"jwks\.json"):
        read_keys(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_a_private_key_that_cannot_be_used_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "one.pem").write_bytes(content)
    with pytest.raises(TokenKeyProblem, match=r"one\.pem"):
        private_key(tmp_path, "one")
