from datetime import UTC, datetime

import jwt
import pytest
from click.testing import CliRunner

from relay.runtime.commands.token import command
from relay.sandbox.street import build


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    street = build(tmp_path_factory.mktemp("street"), datetime.now(UTC))
    street.close()
    return street


@pytest.fixture
def run(street):
    return lambda *arguments: CliRunner().invoke(command, ["--dir", str(street.folder), *arguments])


def read(street, result, algorithm="ES256"):
    key = street.certificates.token_keys[algorithm]
    payload = jwt.decode_complete(
        result.output.strip(),
        key.public_key.read_text(),
        algorithms=[algorithm],
        options={"verify_aud": False, "verify_exp": False},
    )
    return payload["payload"]


def test_a_token_has_every_scope_of_the_industry_unless_told(street, run):
    claims = read(street, run("--org-code", "ZBAA000001"))
    assert claims["scope"] == "bank.deposit bank.invest bank.irp bank.list bank.loan"
    assert (claims["aud"], claims["client_id"], claims["org_code"]) == ("ZOPA000001", "ZOPA000001SVC01", "ZBAA000001")
    assert claims["iss"] == "ZRLA000001"


def test_a_client_id_brings_its_operator(street, run):
    claims = read(street, run("--org-code", "ZBAA000001", "--client-id", "ZOPA000002SVC01", "--scope", "bank.list"))
    assert (claims["aud"], claims["scope"]) == ("ZOPA000002", "bank.list")


def test_a_token_can_be_made_wrong(street, run):
    claims = read(street, run("--org-code", "ZBAA000001", "--claim", 'iat="1"', "--without", "exp"))
    assert claims["iat"] == "1"
    assert "exp" not in claims


def test_a_token_can_be_expired_already(street, run):
    claims = read(street, run("--org-code", "ZBAA000001", "--expires", "-60"))
    assert claims["exp"] == claims["iat"] - 60


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_another_algorithm_signs_with_its_own_key(street, run, algorithm):
    result = run("--org-code", "ZBAA000001", "--algorithm", algorithm)
    assert read(street, result, algorithm)["org_code"] == "ZBAA000001"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--org-code", "ZZZZ000009"], "ZBAA000001"),
        (["--org-code", "ZBAA000001", "--client-id", "nobody"], "ZOPA000001SVC01"),
        (["--org-code", "ZBAA000001", "--claim", "exp"], "NAME=VALUE"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_known(run, arguments, words):
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert words in refused.output


def test_a_provider_of_nowhere_needs_its_scope_named(street, run):
    assert read(street, run("--org-code", "ZZZZ000009", "--scope", "bank.list"))["org_code"] == "ZZZZ000009"


def test_without_a_sandbox_the_way_to_one_is_told(tmp_path):
    refused = CliRunner().invoke(command, ["--dir", str(tmp_path), "--org-code", "ZBAA000001"])
    assert refused.exit_code == 1
    assert "relay sandbox" in refused.output
