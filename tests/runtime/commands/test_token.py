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
from relay.runtime.settings.loading import load
from relay.runtime.wiring.ledger import ledger_of, url_of
from relay.sandbox.customers import ci_of
from relay.sandbox.street import build
from relay.sandbox.world.model import CUSTOMERS


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    street = build(tmp_path_factory.mktemp("street"), datetime.now(UTC))
    street.close()
    asyncio.run(upgrade(url_of(load(street.settings, {}).settings.ledger)))
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


def behind(street, jti):
    """What the ledger knows of a token: its record and consent, None when nobody issued it."""

    async def asked():
        ledger = ledger_of(load(street.settings, {}).settings.ledger)
        try:
            return await ledger.consent_behind(jti)
        finally:
            await ledger.close()

    return asyncio.run(asked())


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


def test_a_token_has_a_consent_to_everything_behind_it(street, run):
    claims = read(street, run("--org-code", "ZCDA000001", "--scope", "card.list card.card"))
    record, consent = behind(street, claims["jti"])
    assert (record.state, record.expires_at, consent.state) == (TokenState.LIVE, claims["exp"], ConsentState.ACTIVE)
    assert (consent.provider, consent.operator, consent.client_id) == ("ZCDA000001", "ZOPA000001", "ZOPA000001SVC01")
    assert (consent.ci, consent.particulars.is_scheduled) == (ci_of(CUSTOMERS[0]), True)
    assert {target.scope: target.assets for target in consent.particulars.targets} == {
        "card.list": None,
        "card.card": None,
    }


def test_a_new_token_ends_the_one_before_and_its_consent(street, run):
    first, second = (read(street, run("--org-code", "ZINA000001"))["jti"] for _ in range(2))
    record, consent = behind(street, first)
    assert (record.state, consent.state) == (TokenState.REVOKED, ConsentState.REPLACED)
    assert behind(street, second)[0].state is TokenState.LIVE


@pytest.mark.parametrize(
    "other", [["--customer", "2"], ["--client-id", "ZOPA000001SVC02"], ["--org-code", "ZISA000001"]]
)
def test_another_customer_service_or_house_ends_nothing(street, run, other):
    first = read(street, run("--org-code", "ZINA000001"))["jti"]
    second = read(street, run("--org-code", "ZINA000001", *other))["jti"]
    assert {behind(street, jti)[0].state for jti in (first, second)} == {TokenState.LIVE}


def test_a_customer_is_chosen_by_number(street, run):
    jti = read(street, run("--org-code", "ZEFA000001", "--customer", "3"))["jti"]
    assert behind(street, jti)[1].ci == ci_of(CUSTOMERS[2])


def test_a_token_of_nobody_leaves_the_ledger_as_it_was(street, run):
    first = read(street, run("--org-code", "ZCPA000001"))["jti"]
    of_nobody = read(street, run("--org-code", "ZCPA000001", "--unrecorded"))["jti"]
    assert behind(street, of_nobody) is None
    assert behind(street, first)[0].state is TokenState.LIVE


def test_what_is_set_by_hand_is_what_the_ledger_knows(street, run):
    claims = read(street, run("--org-code", "ZGIA000001", "--claim", "jti=mine", "--claim", "scope=ginsu.list"))
    record, consent = behind(street, "mine")
    assert (claims["jti"], record.scope, consent.particulars.scopes) == ("mine", "ginsu.list", ("ginsu.list",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--org-code", "ZZZZ000009"], "ZBAA000001"),
        (["--org-code", "ZBAA000001", "--client-id", "nobody"], "ZOPA000001SVC01"),
        (["--org-code", "ZBAA000001", "--claim", "exp"], "NAME=VALUE"),
        (["--org-code", "ZBAA000001", "--customer", "4"], "1<=x<=3"),
        (["--org-code", "ZBAA000001", "--algorithm", "none"], "ES256"),
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


@pytest.mark.parametrize(
    "claim",
    ["exp=soon", "exp=null", "jti=", "scope=5", "aud=[1]", f"exp={10**30}", 'client_id=""', "org_code=null"],
)
def test_claims_of_any_kind_make_a_token(street, run, claim):
    name, _, value = claim.partition("=")
    result = run("--org-code", "ZBAA000001", "--claim", claim)
    assert result.exit_code == 0, result.output
    found = read(street, result)[name]
    assert found == (json.loads(value) if value not in {"soon", ""} else value)
