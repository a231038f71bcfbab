import asyncio
import json
import time

import jwt
import pytest
from click.testing import CliRunner
from mydata_sandbox.commands.token import command
from mydata_sandbox.credentials.certificates import TOKEN_KEYS
from mydata_sandbox.credentials.token_keys import load_token_keys
from mydata_sandbox.credentials.tokens import CLAIMS
from mydata_sandbox.operator.client import CertificateFiles, open_session


@pytest.fixture(scope="module")
def folder(for_programs):
    return for_programs.folder / "sandbox"


@pytest.fixture
def run(folder):
    return lambda *arguments: CliRunner().invoke(command, ["--dir", str(folder), *arguments])


def read(folder, result, algorithm="ES256"):
    key = load_token_keys(folder / "certs" / TOKEN_KEYS)[algorithm]
    options = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_jti": False}
    text = result.output.strip()
    jwt.PyJWS(algorithms=[algorithm]).decode(text, key.public_key.read_text(), algorithms=[algorithm])
    return jwt.decode(text, options=options | {"verify_signature": False})


@pytest.fixture
def call(for_programs):
    """Calls the list of consents of an institution with a token. Returns status and rsp_code."""
    facts = for_programs.facts

    async def send(token, org_code, industry):
        operator = CertificateFiles(facts["certs"]["operator-1"], facts["keys"]["operator-1"], None)
        headers = {
            "Authorization": f"Bearer {token}",
            "x-api-tran-id": "ZOPA000001M00000000000001",
            "x-api-type": "user-refresh",
        }
        url = f"{facts['gateway']}/v1/{industry}/consents?org_code={org_code}"
        async with open_session(operator, facts["ca"]) as session, session.get(url, headers=headers) as answer:
            return answer.status, (await answer.json())["rsp_code"]

    return lambda *arguments: asyncio.run(send(*arguments))


def test_a_token_has_all_scopes_of_the_industry_by_default(folder, run):
    claims = read(folder, run("--org-code", "ZBAA000001", "--customer", "3"))
    assert set(claims["scope"].split()) == {"bank.deposit", "bank.invest", "bank.irp", "bank.list", "bank.loan"}
    assert (claims["aud"], claims["client_id"], claims["org_code"]) == ("ZOPA000001", "ZOPA000001SVC01", "ZBAA000001")
    assert claims["iss"] == "ZRLA000001"


def test_a_client_id_selects_its_operator(folder, run):
    result = run("--org-code", "ZBAA000001", "--client-id", "ZOPA000002SVC01", "--scope", "bank.list bank.loan")
    claims = read(folder, result)
    assert (claims["aud"], set(claims["scope"].split())) == ("ZOPA000002", {"bank.list", "bank.loan"})


def test_the_relay_accepts_a_token_until_the_next_one(run, call):
    first = run("--org-code", "ZCDA000001").output.strip()
    assert call(first, "ZCDA000001", "card") == (200, "00000")
    second = run("--org-code", "ZCDA000001", "--scope", "card.list").output.strip()
    assert call(second, "ZCDA000001", "card") == (200, "00000")
    assert call(first, "ZCDA000001", "card") == (401, "40101")


@pytest.mark.parametrize("other", [["--customer", "2"], ["--client-id", "ZOPA000001SVC02"]])
def test_another_customer_or_service_revokes_nothing(run, call, other):
    first = run("--org-code", "ZINA000001").output.strip()
    assert run("--org-code", "ZINA000001", *other).exit_code == 0
    assert call(first, "ZINA000001", "invest") == (200, "00000")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--expires", "-60"],
        ["--unrecorded"],
        ["--without", "exp"],
        ["--claim", "jti=mine"],
        ["--claim", "aud=ZOPA000002"],
    ],
)
def test_the_relay_refuses_a_wrong_token(run, call, wrong):
    token = run("--org-code", "ZEFA000001", *wrong).output.strip()
    assert call(token, "ZEFA000001", "efin") == (401, "40101")


def test_an_unrecorded_token_revokes_nothing(run, call):
    first = run("--org-code", "ZCPA000001").output.strip()
    assert run("--org-code", "ZCPA000001", "--unrecorded").exit_code == 0
    assert call(first, "ZCPA000001", "capital") == (200, "00000")


def test_a_token_can_be_expired(folder, run):
    claims = read(folder, run("--org-code", "ZTEA000001", "--expires", "-60"))
    assert -90 < claims["exp"] - time.time() < -50


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_another_algorithm_signs_with_its_own_key(folder, run, algorithm):
    result = run("--org-code", "ZTEA000001", "--algorithm", algorithm)
    assert read(folder, result, algorithm)["org_code"] == "ZTEA000001"


def test_claims_can_be_set_and_left_out(folder, run):
    claims = read(folder, run("--org-code", "ZTEA000001", "--claim", 'iat="1"', "--without", "exp"))
    assert claims["iat"] == "1"
    assert "exp" not in claims


@pytest.mark.parametrize(
    "claim", ["exp=soon", "exp=null", "jti=", "scope=5", "aud=[1]", f"exp={10**30}", "org_code=null"]
)
def test_claims_of_any_type_make_a_token(folder, run, claim):
    name, _, value = claim.partition("=")
    result = run("--org-code", "ZTEA000001", "--unrecorded", "--claim", claim)
    assert result.exit_code == 0, result.output
    payload = jwt.PyJWS().decode(result.output.strip(), options={"verify_signature": False})
    assert json.loads(payload)[name] == (json.loads(value) if value not in {"soon", ""} else value)


def test_a_scope_of_another_industry_is_refused(run):
    result = run("--org-code", "ZBAA000001", "--scope", "card.list")
    assert result.exit_code == 1
    assert "scope card.list is not one of bank.deposit, bank.invest, bank.irp, bank.list, bank.loan" in result.output


def test_a_token_has_the_claims_that_without_accepts(folder, run):
    assert set(read(folder, run("--org-code", "ZTEA000001"))) == CLAIMS
    assert set(read(folder, run("--org-code", "ZTEA000001", "--unrecorded"))) == CLAIMS - {"cid"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--org-code", "ZZZZ000009"], "ZBAA000001"),
        (["--org-code", "ZBAA000001", "--client-id", "unknown"], "ZOPA000001SVC01"),
        (["--org-code", "ZBAA000001", "--claim", "exp"], "NAME=VALUE"),
        (["--org-code", "ZBAA000001", "--customer", "4"], "1<=x<=3"),
        (["--org-code", "ZBAA000001", "--algorithm", "none"], "ES256"),
        (["--org-code", "ZBAA000001", "--scope", ""], "names no scope"),
        (["--org-code", "ZBAA000001", "--scope", " ", "--unrecorded"], "names no scope"),
        (["--org-code", "ZBAA000001", "--without", "nonesuch"], "nonesuch is not one of aud, cid, client_id, exp"),
    ],
)
def test_unknown_values_are_refused_with_the_choices(run, arguments, words):
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert words in refused.output


def test_an_unknown_institution_needs_a_scope_and_unrecorded(folder, run):
    result = run("--org-code", "ZZZZ000009", "--scope", "bank.list", "--unrecorded")
    assert read(folder, result)["org_code"] == "ZZZZ000009"
    assert run("--org-code", "ZZZZ000009", "--scope", "bank.list").exit_code == 2


def test_without_a_sandbox_the_command_names_it(tmp_path):
    refused = CliRunner().invoke(command, ["--dir", str(tmp_path), "--org-code", "ZBAA000001"])
    assert refused.exit_code == 1
    assert "`mydata-sandbox run` makes one" in refused.output


def test_a_sandbox_that_does_not_run_is_named(with_portal, built):
    for environment, words in ((with_portal, "no sandbox runs in"), (built, "has no control API")):
        refused = CliRunner().invoke(command, ["--dir", str(environment.folder), "--org-code", "ZBAA000001"])
        assert refused.exit_code == 1
        assert words in refused.output
