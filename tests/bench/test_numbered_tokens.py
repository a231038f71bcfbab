import base64

import jwt
from harness.layout import CLIENT_ID, OPERATOR, SMALL
from harness.numbered_tokens import DIGITS, ZERO, make_token

from relay.domain.authorization.token import parse_claims


def claims_of(token):
    payload = token.split(".")[1]
    return parse_claims(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_claims_are_those_of_an_access_token():
    claims = claims_of(make_token(7))
    assert claims.jti == f"000000000007.{SMALL}.{OPERATOR}.{CLIENT_ID}"
    assert (claims.org_code, claims.aud, claims.client_id) == (SMALL, OPERATOR, CLIENT_ID)
    assert claims.scopes == {"bank.list", "bank.deposit"}


def test_the_load_can_write_another_number_into_a_token():
    token = make_token(0)
    assert token.count(ZERO) == 1
    number = base64.urlsafe_b64encode(b"000000123456").decode()
    assert claims_of(token.replace(ZERO, number)).jti.startswith("000000123456.")
    assert len(number) == len(ZERO) == DIGITS * 4 // 3


def test_a_token_is_as_long_as_a_signed_one():
    assert jwt.get_unverified_header(make_token(0))["alg"] == "RS256"
    assert len(base64.urlsafe_b64decode(make_token(0).split(".")[2] + "==")) == 256
