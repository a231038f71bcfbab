import json
import stat

import jwt
import pytest
from mydata_sandbox.credentials.token_keys import ALGORITHMS, make_token_keys


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certs") / "token-keys"


@pytest.fixture(scope="module")
def made(folder):
    return make_token_keys(folder)


@pytest.fixture(scope="module")
def rows(made, folder):
    return {row["alg"]: row for row in json.loads((folder / "jwks.json").read_text())["keys"]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_is_verified_by_the_jwk(made, rows, algorithm):
    key, row = made[algorithm], rows[algorithm]
    token = jwt.encode({"jti": "one"}, key.private_key.read_text(), algorithm=algorithm)
    assert jwt.decode(token, jwt.PyJWK(row), algorithms=[algorithm]) == {"jti": "one"}
    assert (row["kid"], row["use"]) == (key.kid, "sig")


def test_the_jwk_set_has_only_public_keys(rows):
    assert {name for row in rows.values() for name in row}.isdisjoint({"d", "p", "q", "dp", "dq", "qi", "k"})


def test_only_the_first_key_signs(rows):
    assert {algorithm for algorithm, row in rows.items() if "signs_from" in row} == {ALGORITHMS[0]}


def test_folder_and_private_keys_are_private(made, folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(key.private_key.stat().st_mode) for key in made.values()} == {0o600}


def test_keys_can_be_made_again_in_the_same_folder(tmp_path):
    first = make_token_keys(tmp_path)["ES256"].public_key.read_bytes()
    (tmp_path / "dev-es256.pem").chmod(0o644)
    again = make_token_keys(tmp_path)["ES256"]
    assert again.public_key.read_bytes() != first
    assert stat.S_IMODE(again.private_key.stat().st_mode) == 0o600
