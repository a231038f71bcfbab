import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from harness.checks import GOOD, REFUSED, checks
from harness.identity import TOKENS, Identity
from harness.layout import OPERATOR, RELAY, SMALL


@pytest.fixture(scope="module")
def identity():
    signing, other_key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    return Identity(None, signing, other_key)


def test_every_refusal_is_checked_by_get_and_post(identity):
    refused = {check.name for check in checks(identity) if check.expected is REFUSED}
    for refusal in ("no token", "bad signature", "changed claims", "expired", "wrong org_code", "missing scope"):
        assert {f"get {refusal}", f"post {refusal}"} <= refused


def test_a_good_token_is_checked_again_after_the_refusals(identity):
    names = [check.name for check in checks(identity) if check.expected is GOOD]
    assert names[:4] == ["get good", "get good again", "post good", "post good again"]


def test_tokens_are_distinct_and_verify(identity):
    tokens = identity.tokens(SMALL)
    assert len(set(tokens)) == TOKENS
    claims = jwt.decode(tokens[0], identity.signing.public_key(), ["RS256"], audience=OPERATOR, issuer=RELAY)
    assert claims["org_code"] == SMALL


def test_a_signature_of_another_key_does_not_verify(identity):
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(identity.token(identity.unknown_key), identity.signing.public_key(), ["RS256"], audience=OPERATOR)
