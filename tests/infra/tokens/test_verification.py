import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from relay.domain.fault import Refusal
from relay.infra.tokens.verification import VerifiedTokens, Verifier, VerifyingKey

NOW = 1_700_000_000.0
KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
KEYS["PS256"] = KEYS["RS256"]


def keyring(most=100, leeway=5.0):
    keys = {name: VerifyingKey(name, key.public_key()) for name, key in KEYS.items()}
    return VerifiedTokens(keys, "ZRLA000001", leeway, most)


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


def refusal(ring, token, now=NOW):
    with pytest.raises(Refusal) as refused:
        ring.claims(token, now)
    assert refused.value.fault.rsp_code == "40101"
    return refused.value.fault.name


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
def test_a_token_is_good_when_the_key_pinned_to_its_algorithm_signed_it(algorithm):
    claims = keyring().claims(bearer(algorithm), NOW)
    assert (claims.aud, claims.scopes) == ("ZOPA000001", {"bank.list", "bank.deposit"})


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "ES256"), ("PS256", "RS256"), ("RS256", "PS256")])
def test_the_algorithm_is_the_keys_and_never_the_tokens(algorithm, kid):
    assert refusal(keyring(), bearer(algorithm, kid=kid)) == "token_untrusted"


@pytest.mark.parametrize("scheme", [b"bearer ", b"BEARER "])
def test_the_scheme_has_no_case(scheme):
    assert keyring().claims(bearer(scheme=scheme), NOW).jti == "one"


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Bearer   a.b.c", b"Basic YTpi", b"Bearer a.b", b"Bearer a.b.c.d", b"x.y.z"]
)
def test_what_is_no_bearer_token_is_malformed(value):
    assert refusal(keyring(), value) == "token_malformed"


def test_more_than_1500_bytes_are_no_token():
    token = bearer(jti="x" * 1300)
    assert len(token) > 1507
    assert refusal(keyring(), token) == "token_malformed"
    assert keyring().claims(bearer(jti="x" * 500), NOW)


def test_a_kid_that_is_no_text_is_unknown():
    head, payload, signature = bearer()[7:].split(b".")
    for kid in (1, None, ["ES256"], {"ES256": 1}):
        head = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": kid}).encode()).rstrip(b"=")
        token = b".".join([b"Bearer " + head, payload, signature])
        assert refusal(keyring(), token) in {"token_untrusted", "token_malformed"}


def test_one_changed_bit_of_the_signature_is_seen():
    token = bearer()
    flipped = token[:-10] + (b"A" if token[-10:-9] != b"A" else b"B") + token[-9:]
    assert refusal(keyring(), flipped) == "token_untrusted"


def test_a_critical_header_nobody_understands_is_refused():
    assert refusal(keyring(), bearer(headers={"crit": ["x"], "x": 1})) == "token_malformed"


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
def test_claims_are_judged_though_the_signature_is_good(over, fault):
    assert refusal(keyring(), bearer(**over)) == fault


def test_clocks_may_disagree_by_the_leeway():
    assert keyring().claims(bearer(iat=int(NOW) + 5), NOW)


def test_a_remembered_token_ends_when_it_says(monkeypatch):
    ring, token = keyring(), bearer()
    ring.claims(token, NOW)
    monkeypatch.setattr(ring._verifier, "claims", lambda *_: pytest.fail("verified twice"))
    assert ring.claims(token, NOW + 59.9).jti == "one"
    assert refusal(ring, token, NOW + 60) == "token_expired"
    assert len(ring) == 0


def test_the_memory_is_bounded_and_keeps_who_comes_often():
    ring = keyring(most=10)
    often = bearer(jti="often")
    for number in range(40):
        ring.claims(bearer(jti=str(number)), NOW)
        ring.claims(often, NOW)
        assert len(ring) <= 10
    assert often in {**ring._young, **ring._old}


def test_what_was_refused_is_not_remembered():
    ring = keyring()
    refusal(ring, bearer(kid="nobody"))
    assert len(ring) == 0


@pytest.mark.parametrize(("use", "asked", "fits"), [("refresh", "refresh", True), (None, "refresh", False)])
def test_a_verifier_reads_refresh_tokens_only_when_asked_for_one(use, asked, fits):
    verifier = Verifier({"ES256": VerifyingKey("ES256", KEYS["ES256"].public_key())}, "ZRLA000001", 5.0)
    token = bearer(use=use)[7:]
    if fits:
        assert verifier.claims(token, NOW, asked).jti == "one"
    else:
        with pytest.raises(Refusal):
            verifier.claims(token, NOW, asked)


def test_a_refresh_token_opens_no_data():
    assert refusal(keyring(), bearer(use="refresh")) == "token_malformed"
