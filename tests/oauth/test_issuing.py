"""Claims, scope and lifetime of tokens, without clock, keys or ledger."""

import hashlib
import json
from datetime import date
from itertools import count

import pytest

from relay.domain.authorization.consent import Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import TokenKind
from relay.domain.korea import DAY_S
from relay.domain.ledger import LedgerRefused, Reason
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.issuing import TokenIssuer, build_token_scope
from relay.policy.settings.authority import TokenSettings

NOW = 1_800_000_000  # 2027-01-15 17:00 in Korea
ENDS = 1_800_457_200  # 2027-01-21 00:00 in Korea


class FakeSigner:
    """Records claims and returns a fake token."""

    def __init__(self):
        self.signed = []

    def __call__(self, claims, now):
        self.signed.append((claims, now))
        token = json.dumps([claims, now])
        return token, hashlib.sha256(token.encode()).digest()


def consent(end=date(2027, 12, 31), scopes=("bank.deposit",)):
    particulars = Particulars(False, end, "조회", date(2027, 12, 31), tuple(Target(scope) for scope in scopes))
    names = ("consent1", "ZBAA000001", "ZOPA000001", "ZOPA000001SVC01")
    return Consent(*names, Authentication.INTEGRATED, particulars, NOW, "CI")


def make_issuer(signer=None, now=NOW, **tokens):
    numbers = count(1)
    settings = TokenSettings(issuer="ZRLA000001", keys="keys", **tokens)
    return TokenIssuer(settings, "bank", signer or FakeSigner(), lambda: f"jti{next(numbers)}", now)


@pytest.mark.parametrize(
    ("scopes", "scope"),
    [
        ((), "bank.list"),
        (("bank.loan", "bank.deposit"), "bank.list bank.loan bank.deposit"),
        (("bank.deposit", "bank.list", "bank.deposit"), "bank.list bank.deposit"),
        (
            ("bank.deposit", "bank.invest", "bank.loan", "bank.irp", "bank.prepaid"),
            "bank.list bank.deposit bank.invest bank.loan bank.irp bank.prepaid",
        ),
    ],
)
def test_the_list_comes_first_whatever_was_chosen(scopes, scope):
    assert build_token_scope("bank", scopes) == scope


@pytest.mark.parametrize(
    "scopes", [("card.card",), ("banking.all",), ("",), ("bank.a card.b",), ("bank." + "x" * 120,)]
)
def test_a_scope_of_another_industry_is_refused(scopes):
    with pytest.raises(OAuthRefusal) as refused:
        build_token_scope("bank", scopes)
    assert refused.value.error == "invalid_scope"


@pytest.mark.parametrize(
    ("days", "end", "access_s", "refresh_s"),
    [
        ({}, date(2027, 12, 31), 90 * DAY_S, ENDS - NOW + 345 * DAY_S),
        ({}, date(2028, 12, 31), 90 * DAY_S, 365 * DAY_S),
        ({}, date(2027, 1, 20), ENDS - NOW, ENDS - NOW),
        ({"access_days": 1, "refresh_days": 2}, date(2027, 12, 31), DAY_S, 2 * DAY_S),
        ({"access_days": 1}, date(2027, 1, 20), DAY_S, ENDS - NOW),
    ],
)
def test_tokens_last_as_set_and_never_beyond_the_last_day(days, end, access_s, refresh_s):
    given = consent(end)
    pair = make_issuer(**days).issue_pair(given)
    assert (pair.access.expires_at - NOW, pair.refresh.expires_at - NOW) == (access_s, refresh_s)
    assert (pair.access.kind, pair.refresh.kind) == (TokenKind.ACCESS, TokenKind.REFRESH)


@pytest.mark.parametrize(("now", "is_issued"), [(ENDS - 1, True), (ENDS, False), (ENDS + 1, False)])
def test_after_the_last_day_there_are_no_tokens(now, is_issued):
    given = consent(date(2027, 1, 20))
    if is_issued:
        assert make_issuer(now=now).issue_pair(given).access.expires_at == ENDS
    else:
        with pytest.raises(LedgerRefused) as refused:
            make_issuer(now=now).issue_pair(given)
        assert refused.value.reason is Reason.CONSENT_ENDED


def test_records_match_the_signed_tokens():
    signer = FakeSigner()
    issuer = make_issuer(signer)
    given = consent()
    pair = issuer.issue_pair(given)
    for record, (claims, now) in zip((pair.access, pair.refresh), signer.signed, strict=True):
        assert (claims["jti"], claims["exp"], claims["iat"], now) == (record.jti, record.expires_at, NOW, NOW)
        assert hashlib.sha256(issuer.get_token(given, record).encode()).digest() == record.digest
    assert len(signer.signed) == 2
    assert pair.access.jti != pair.refresh.jti


def test_only_a_refresh_token_has_a_use_claim():
    signer = FakeSigner()
    make_issuer(signer).issue_pair(consent())
    (access, _), (refresh, _) = signer.signed
    assert refresh == access | {"jti": refresh["jti"], "exp": refresh["exp"], "use": "refresh"}


def test_a_refreshed_token_keeps_the_scope():
    given = consent(scopes=("bank.deposit", "bank.loan"))
    refresh = make_issuer().issue_pair(given).refresh
    access = make_issuer(now=NOW + DAY_S).issue_access(consent(scopes=()), refresh)
    assert (access.scope, access.refreshed, access.kind) == (refresh.scope, True, TokenKind.ACCESS)
    assert access.issued_at == NOW + DAY_S


def test_a_token_of_an_earlier_call_is_signed_for_its_own_time():
    given = consent()
    first = FakeSigner()
    record = make_issuer(first).issue_access(given, make_issuer().issue_pair(given).refresh)
    second = FakeSigner()
    make_issuer(second, now=NOW + 20).get_token(given, record)
    assert second.signed == first.signed


def test_claims_do_not_identify_the_customer():
    signer = FakeSigner()
    make_issuer(signer).issue_pair(consent())
    assert all("CI" not in json.dumps(claims) for claims, _ in signer.signed)
