from datetime import UTC, datetime

import jwt
import pytest
from mydata_sandbox.credentials.certificates import make_dev_certificates
from mydata_sandbox.credentials.tokens import change_claims, claims_for, list_scopes, sign

from relay.domain.authorization.token import parse_claims
from relay.standard.catalogue import load_catalogue

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
CLAIMS = claims_for(
    issuer="ZRLA000001",
    operator="ZOPA000001",
    provider="ZBAA000001",
    client_id="ZOPA000001SVC01",
    scopes=("bank.list", "bank.deposit"),
    now=NOW,
    expires=60,
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), NOW).token_keys


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
def test_a_token_verifies_with_the_public_key_it_names(keys, algorithm):
    key = keys[algorithm]
    token = sign(CLAIMS, key)
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
    payload = jwt.PyJWS(algorithms=[algorithm]).decode(token, key.public_key.read_text(), algorithms=[algorithm])
    assert parse_claims(payload).scopes == {"bank.list", "bank.deposit"}
    assert len(token) <= 1500


def test_claims_are_those_that_the_relay_reads():
    assert CLAIMS["exp"] == CLAIMS["iat"] + 60 == int(NOW.timestamp()) + 60
    assert CLAIMS | {"jti": ""} == {
        "iss": "ZRLA000001",
        "aud": "ZOPA000001",
        "exp": 1795338060,
        "iat": 1795338000,
        "jti": "",
        "scope": "bank.list bank.deposit",
        "org_code": "ZBAA000001",
        "client_id": "ZOPA000001SVC01",
    }


def test_two_tokens_have_two_jtis():
    facts = {"issuer": "", "operator": "", "provider": "", "client_id": "", "scopes": (), "now": NOW}
    assert claims_for(**facts)["jti"] != claims_for(**facts)["jti"]


def test_claims_are_replaced_and_removed():
    wrong = change_claims(CLAIMS, ["exp=12", 'iat="12"', "aud=unknown", "sub=a=b"], ["jti", "nothing"])
    assert (wrong["exp"], wrong["iat"], wrong["aud"], wrong["sub"]) == (12, "12", "unknown", "a=b")
    assert "jti" not in wrong


def test_scopes_of_an_industry_are_those_of_its_apis():
    catalogue = load_catalogue()
    assert list_scopes(catalogue, "bank") == ("bank.deposit", "bank.invest", "bank.irp", "bank.list", "bank.loan")
    assert list_scopes(catalogue, "usury") == ("usury.bond", "usury.list")
