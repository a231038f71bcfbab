import base64
import gc
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from relay.domain.authorization.token import NotVerified
from relay.domain.fault import Refusal
from relay.infra.tokens.verification import VerifiedTokens, Verifier, VerifyingKey
from relay.infra.tokens.verification_turns import PER_TURN, VerificationTurns

NOW = 1_700_000_000.0
KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
KEYS["PS256"] = KEYS["RS256"]


def build_tokens(max_tokens=100, leeway=5.0, turns=None):
    keys = {name: VerifyingKey(name, key.public_key()) for name, key in KEYS.items()}
    return VerifiedTokens(keys, "ZRLA000001", leeway, max_tokens, turns)


def bearer(algorithm="ES256", kid=None, scheme=b"Bearer ", headers=None, **over):
    claims = {
        "iss": "ZRLA000001",
        "aud": "ZOPA000001",
        "exp": int(NOW) + 60,
        "iat": int(NOW),
        "jti": "one",
        "scope": "bank.list bank.deposit",
        "org_code": "ZBAA000001",
        "client_id": "ZOPA000001SVC01",
    } | over
    headers = {"kid": kid or algorithm} | (headers or {})
    signer = jwt.PyJWS(algorithms=[algorithm])
    payload = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
    return scheme + signer.encode(payload, KEYS[algorithm], algorithm=algorithm, headers=headers).encode()


def refusal(tokens, token, now=NOW):
    with pytest.raises(Refusal) as refused:
        tokens.verify(token, now)
    assert refused.value.fault.rsp_code == "40101"
    return refused.value.fault.name


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
def test_a_token_of_a_key_and_its_algorithm_is_valid(algorithm):
    claims = build_tokens().verify(bearer(algorithm), NOW)
    assert (claims.aud, claims.scopes) == ("ZOPA000001", {"bank.list", "bank.deposit"})


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "ES256"), ("PS256", "RS256"), ("RS256", "PS256")])
def test_the_algorithm_comes_from_the_key(algorithm, kid):
    assert refusal(build_tokens(), bearer(algorithm, kid=kid)) == "token_untrusted"


@pytest.mark.parametrize("scheme", [b"bearer ", b"BEARER "])
def test_the_scheme_is_case_insensitive(scheme):
    assert build_tokens().verify(bearer(scheme=scheme), NOW).jti == "one"


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Bearer   a.b.c", b"Basic YTpi", b"Bearer a.b", b"Bearer a.b.c.d", b"x.y.z"]
)
def test_anything_but_a_bearer_token_is_malformed(value):
    assert refusal(build_tokens(), value) == "token_malformed"


def test_a_token_over_1500_bytes_is_malformed():
    token = bearer(jti="x" * 1300)
    assert len(token) > 1507
    assert refusal(build_tokens(), token) == "token_malformed"
    assert build_tokens().verify(bearer(jti="x" * 500), NOW)


def test_a_kid_that_is_not_a_string_is_refused():
    head, payload, signature = bearer()[7:].split(b".")
    for kid in (1, None, ["ES256"], {"ES256": 1}):
        head = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": kid}).encode()).rstrip(b"=")
        token = b".".join([b"Bearer " + head, payload, signature])
        assert refusal(build_tokens(), token) in {"token_untrusted", "token_malformed"}


def test_a_changed_signature_is_refused():
    token = bearer()
    flipped = token[:-10] + (b"A" if token[-10:-9] != b"A" else b"B") + token[-9:]
    assert refusal(build_tokens(), flipped) == "token_untrusted"


def test_an_unknown_critical_header_is_refused():
    assert refusal(build_tokens(), bearer(headers={"crit": ["x"], "x": 1})) == "token_malformed"


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"iss": "ZZOTHER001"}, "token_untrusted"),
        ({"exp": int(NOW)}, "token_expired"),
        ({"exp": None}, "token_malformed"),
        ({"exp": str(int(NOW) + 60)}, "token_malformed"),
        ({"iat": int(NOW) + 6}, "token_malformed"),
        ({"org_code": None}, "token_malformed"),
    ],
)
def test_claims_are_checked_after_the_signature(over, fault):
    assert refusal(build_tokens(), bearer(**over)) == fault


def test_clocks_may_differ_by_the_leeway():
    assert build_tokens().verify(bearer(iat=int(NOW) + 5), NOW)


def test_a_cached_token_expires(monkeypatch):
    tokens, token = build_tokens(), bearer()
    tokens.verify(token, NOW)
    monkeypatch.setattr(jwt.api_jws, "decode", lambda *_args, **_options: pytest.fail("verified twice"))
    assert tokens.verify(token, NOW + 59.9).jti == "one"
    assert refusal(tokens, token, NOW + 60) == "token_expired"
    assert len(tokens) == 0


def test_the_cache_is_bounded_and_keeps_frequent_tokens(monkeypatch):
    tokens = build_tokens(max_tokens=10)
    frequent = bearer(jti="frequent")
    claims = tokens.verify(frequent, NOW)
    for number in range(40):
        tokens.verify(bearer(jti=str(number)), NOW)
        assert tokens.verify(frequent, NOW) is claims
        assert len(tokens) <= 10


def test_a_refused_token_is_not_cached():
    tokens = build_tokens()
    refusal(tokens, bearer(kid="unknown"))
    assert len(tokens) == 0


@pytest.mark.parametrize(
    ("use", "expected_use", "is_accepted"), [("refresh", "refresh", True), (None, "refresh", False)]
)
def test_a_refresh_token_is_read_only_for_its_use(use, expected_use, is_accepted):
    verifier = Verifier({"ES256": VerifyingKey("ES256", KEYS["ES256"].public_key())}, "ZRLA000001", 5.0)
    token = bearer(use=use)[7:]
    if is_accepted:
        assert verifier.verify(token, NOW, expected_use).jti == "one"
    else:
        with pytest.raises(Refusal):
            verifier.verify(token, NOW, expected_use)


def test_a_refresh_token_is_not_an_access_token():
    assert refusal(build_tokens(), bearer(use="refresh")) == "token_malformed"


def change(token, at):
    """Changes one character of a token."""
    return token[:at] + (b"A" if token[at : at + 1] != b"A" else b"B") + token[at + 1 :]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_changed_copy_of_a_cached_token_is_refused(algorithm):
    tokens, token = build_tokens(), bearer(algorithm)
    tokens.verify(token, NOW)
    for at in range(len(b"Bearer "), len(token) - 1):
        if token[at : at + 1] != b".":
            assert refusal(tokens, change(token, at)) in {"token_untrusted", "token_malformed"}
    assert tokens.verify(bytes(bytearray(token)), NOW).jti == "one"


class Twin(bytes):
    """A value with the hash of another one."""

    def __hash__(self):
        return self.twin_hash


def test_two_tokens_of_one_hash_are_not_confused():
    first, second = bearer(jti="first"), bearer(jti="second")
    twin, tokens = Twin(second), build_tokens()
    twin.twin_hash = hash(first)
    for _ in range(2):
        assert tokens.verify(first, NOW).jti == "first"
        assert tokens.verify(twin, NOW).jti == "second"
    assert len(tokens) == 1


def test_claims_of_one_service_share_their_values():
    tokens = build_tokens()
    first, second = (tokens.verify(bearer(jti=jti), NOW) for jti in ("first", "second"))
    for name in ("iss", "aud", "org_code", "client_id", "scopes"):
        assert getattr(first, name) is getattr(second, name)


async def test_one_turn_verifies_few_tokens():
    tokens, values = (
        build_tokens(turns=VerificationTurns()),
        [bearer(jti=str(number)) for number in range(PER_TURN + 1)],
    )
    for value in values[:PER_TURN]:
        assert tokens.verify(value, NOW)
    with pytest.raises(NotVerified):
        tokens.verify(values[-1], NOW)
    assert tokens.verify(values[0], NOW).jti == "0"  # cached
    await tokens.wait_turn("ZOPA000001")
    assert tokens.verify(values[-1], NOW).jti == str(PER_TURN)


async def test_a_malformed_value_needs_no_turn():
    tokens = build_tokens(turns=VerificationTurns())
    for _ in range(2 * PER_TURN):
        assert refusal(tokens, b"Basic YTpi") == "token_malformed"
    assert tokens.verify(bearer(), NOW)


async def test_without_turns_every_token_is_verified_at_once():
    tokens = build_tokens()
    assert all(tokens.verify(bearer(jti=str(number)), NOW) for number in range(2 * PER_TURN))
    await tokens.wait_turn("ZOPA000001")


async def test_cleared_tokens_are_verified_again():
    tokens, token = build_tokens(), bearer()
    claims = tokens.verify(token, NOW)
    await tokens.clear()
    assert len(tokens) == 0
    assert tokens.verify(token, NOW) is not claims


def test_the_collector_does_not_know_remembered_tokens():
    tokens, values = build_tokens(), [bearer(jti=str(number)) for number in range(3)]
    claims = [tokens.verify(value, NOW) for value in values]
    assert not any(map(gc.is_tracked, claims))
    assert not any(
        type(item) is dict and any(value is claims[0] for value in item.values()) for item in gc.get_objects()
    )
