import asyncio
import json
from datetime import UTC, datetime

import jwt
import pytest
from click.testing import CliRunner

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.infra.ledger.schema import upgrade
from relay.runtime.commands.token import command
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger, resolve_ledger_url
from relay.sandbox.customers import get_ci
from relay.sandbox.environment import build
from relay.sandbox.world.model import CUSTOMERS


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), datetime.now(UTC))
    environment.close()
    asyncio.run(upgrade(resolve_ledger_url(load_settings(environment.settings, {}).settings.ledger)))
    return environment


@pytest.fixture
def run(environment):
    return lambda *arguments: CliRunner().invoke(command, ["--dir", str(environment.folder), *arguments])


def read(environment, result, algorithm="ES256"):
    key = environment.certificates.token_keys[algorithm]
    payload = jwt.decode_complete(
        result.output.strip(),
        key.public_key.read_text(),
        algorithms=[algorithm],
        options={"verify_aud": False, "verify_exp": False},
    )
    return payload["payload"]


def find_recorded(environment, jti):
    """Returns the record and consent of a token, None when it was never issued."""

    async def query():
        ledger = build_ledger(load_settings(environment.settings, {}).settings.ledger)
        try:
            return await ledger.find_token_and_consent(jti)
        finally:
            await ledger.close()

    return asyncio.run(query())


def test_a_token_has_all_scopes_of_the_industry_by_default(environment, run):
    claims = read(environment, run("--org-code", "ZBAA000001"))
    assert claims["scope"] == "bank.deposit bank.invest bank.irp bank.list bank.loan"
    assert (claims["aud"], claims["client_id"], claims["org_code"]) == ("ZOPA000001", "ZOPA000001SVC01", "ZBAA000001")
    assert claims["iss"] == "ZRLA000001"


def test_a_client_id_selects_its_operator(environment, run):
    claims = read(
        environment, run("--org-code", "ZBAA000001", "--client-id", "ZOPA000002SVC01", "--scope", "bank.list")
    )
    assert (claims["aud"], claims["scope"]) == ("ZOPA000002", "bank.list")


def test_claims_can_be_set_and_left_out(environment, run):
    claims = read(environment, run("--org-code", "ZBAA000001", "--claim", 'iat="1"', "--without", "exp"))
    assert claims["iat"] == "1"
    assert "exp" not in claims


def test_a_token_can_be_expired(environment, run):
    claims = read(environment, run("--org-code", "ZBAA000001", "--expires", "-60"))
    assert claims["exp"] == claims["iat"] - 60


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_another_algorithm_signs_with_its_own_key(environment, run, algorithm):
    result = run("--org-code", "ZBAA000001", "--algorithm", algorithm)
    assert read(environment, result, algorithm)["org_code"] == "ZBAA000001"


def test_a_token_has_a_consent_to_all_assets(environment, run):
    claims = read(environment, run("--org-code", "ZCDA000001", "--scope", "card.list card.card"))
    record, consent = find_recorded(environment, claims["jti"])
    assert (record.state, record.expires_at, consent.state) == (TokenState.LIVE, claims["exp"], ConsentState.ACTIVE)
    assert (consent.provider, consent.operator, consent.client_id) == ("ZCDA000001", "ZOPA000001", "ZOPA000001SVC01")
    assert (consent.ci, consent.particulars.is_scheduled) == (get_ci(CUSTOMERS[0]), True)
    assert {target.scope: target.assets for target in consent.particulars.targets} == {
        "card.list": None,
        "card.card": None,
    }


def test_a_new_token_revokes_the_former_and_its_consent(environment, run):
    first, second = (read(environment, run("--org-code", "ZINA000001"))["jti"] for _ in range(2))
    record, consent = find_recorded(environment, first)
    assert (record.state, consent.state) == (TokenState.REVOKED, ConsentState.REPLACED)
    assert find_recorded(environment, second)[0].state is TokenState.LIVE


@pytest.mark.parametrize(
    "other", [["--customer", "2"], ["--client-id", "ZOPA000001SVC02"], ["--org-code", "ZISA000001"]]
)
def test_another_customer_service_or_institution_revokes_nothing(environment, run, other):
    first = read(environment, run("--org-code", "ZINA000001"))["jti"]
    second = read(environment, run("--org-code", "ZINA000001", *other))["jti"]
    assert {find_recorded(environment, jti)[0].state for jti in (first, second)} == {TokenState.LIVE}


def test_a_customer_is_selected_by_number(environment, run):
    jti = read(environment, run("--org-code", "ZEFA000001", "--customer", "3"))["jti"]
    assert find_recorded(environment, jti)[1].ci == get_ci(CUSTOMERS[2])


def test_an_unrecorded_token_leaves_the_ledger_unchanged(environment, run):
    first = read(environment, run("--org-code", "ZCPA000001"))["jti"]
    unrecorded = read(environment, run("--org-code", "ZCPA000001", "--unrecorded"))["jti"]
    assert find_recorded(environment, unrecorded) is None
    assert find_recorded(environment, first)[0].state is TokenState.LIVE


def test_set_claims_are_recorded_in_the_ledger(environment, run):
    claims = read(environment, run("--org-code", "ZGIA000001", "--claim", "jti=mine", "--claim", "scope=ginsu.list"))
    record, consent = find_recorded(environment, "mine")
    assert (claims["jti"], record.scope, consent.particulars.scopes) == ("mine", "ginsu.list", ("ginsu.list",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--org-code", "ZZZZ000009"], "ZBAA000001"),
        (["--org-code", "ZBAA000001", "--client-id", "unknown"], "ZOPA000001SVC01"),
        (["--org-code", "ZBAA000001", "--claim", "exp"], "NAME=VALUE"),
        (["--org-code", "ZBAA000001", "--customer", "4"], "1<=x<=3"),
        (["--org-code", "ZBAA000001", "--algorithm", "none"], "ES256"),
    ],
)
def test_unknown_values_are_refused_with_the_choices(run, arguments, words):
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert words in refused.output


def test_an_unknown_institution_needs_a_scope(environment, run):
    assert read(environment, run("--org-code", "ZZZZ000009", "--scope", "bank.list"))["org_code"] == "ZZZZ000009"


def test_without_a_sandbox_the_command_names_it(tmp_path):
    refused = CliRunner().invoke(command, ["--dir", str(tmp_path), "--org-code", "ZBAA000001"])
    assert refused.exit_code == 1
    assert "relay sandbox" in refused.output


@pytest.mark.parametrize(
    "claim",
    ["exp=soon", "exp=null", "jti=", "scope=5", "aud=[1]", f"exp={10**30}", 'client_id=""', "org_code=null"],
)
def test_claims_of_any_type_make_a_token(environment, run, claim):
    name, _, value = claim.partition("=")
    result = run("--org-code", "ZBAA000001", "--claim", claim)
    assert result.exit_code == 0, result.output
    claim_value = read(environment, result)[name]
    assert claim_value == (json.loads(value) if value not in {"soon", ""} else value)
