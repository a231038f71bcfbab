"""What tokens say and how long they last, decided without clock, keys or ledger."""

import hashlib
import json
from datetime import date
from itertools import count

import pytest

from relay.domain.authorization.consent import Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import TokenKind
from relay.domain.ledger import NotGranted, Why
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.issuing import DAY_S, Mint, scope_of
from relay.policy.settings.authority import Tokens

NOW = 1_800_000_000  # 2027-01-15 17:00 in Korea
ENDS = 1_800_457_200  # 2027-01-21 00:00 in Korea


class Notary:
    """Signs by writing down."""

    def __init__(self):
        self.signed = []

    def __call__(self, claims, now):
        self.signed.append((claims, now))
        told = json.dumps([claims, now])
        return told, hashlib.sha256(told.encode()).digest()


def consent(end=date(2027, 12, 31), scopes=("bank.deposit",)):
    particulars = Particulars(False, end, "조회", date(2027, 12, 31), tuple(Target(scope) for scope in scopes))
    names = ("consent1", "ZBAA000001", "ZOPA000001", "ZOPA000001SVC01")
    return Consent(*names, Authentication.INTEGRATED, particulars, NOW, "CI")


def mint(notary=None, now=NOW, **tokens):
    numbers = count(1)
    settings = Tokens(issuer="ZRLA000001", keys="keys", **tokens)
    return Mint(settings, "bank", notary or Notary(), lambda: f"jti{next(numbers)}", now)


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
    assert scope_of("bank", scopes) == scope


@pytest.mark.parametrize(
    "scopes", [("card.card",), ("banking.all",), ("",), ("bank.a card.b",), ("bank." + "x" * 120,)]
)
def test_a_scope_of_elsewhere_is_none(scopes):
    with pytest.raises(OAuthRefusal) as refused:
        scope_of("bank", scopes)
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
    pair = mint(**days).pair(given)
    assert (pair.access.expires_at - NOW, pair.refresh.expires_at - NOW) == (access_s, refresh_s)
    assert (pair.access.kind, pair.refresh.kind) == (TokenKind.ACCESS, TokenKind.REFRESH)


@pytest.mark.parametrize(("now", "given"), [(ENDS - 1, True), (ENDS, False), (ENDS + 1, False)])
def test_after_the_last_day_there_are_no_tokens(now, given):
    asked = consent(date(2027, 1, 20))
    if given:
        assert mint(now=now).pair(asked).access.expires_at == ENDS
    else:
        with pytest.raises(NotGranted) as refused:
            mint(now=now).pair(asked)
        assert refused.value.why is Why.CONSENT_ENDED


def test_records_are_of_the_tokens_that_were_signed():
    notary = Notary()
    made = mint(notary)
    asked = consent()
    pair = made.pair(asked)
    for record, (claims, now) in zip((pair.access, pair.refresh), notary.signed, strict=True):
        assert (claims["jti"], claims["exp"], claims["iat"], now) == (record.jti, record.expires_at, NOW, NOW)
        assert hashlib.sha256(made.token(asked, record).encode()).digest() == record.digest
    assert len(notary.signed) == 2
    assert pair.access.jti != pair.refresh.jti


def test_only_a_refresh_token_says_what_it_is_for():
    notary = Notary()
    mint(notary).pair(consent())
    (access, _), (refresh, _) = notary.signed
    assert refresh == access | {"jti": refresh["jti"], "exp": refresh["exp"], "use": "refresh"}


def test_a_refreshed_token_keeps_the_scope_it_was_given():
    asked = consent(scopes=("bank.deposit", "bank.loan"))
    refresh = mint().pair(asked).refresh
    access = mint(now=NOW + DAY_S).refreshed(consent(scopes=()), refresh)
    assert (access.scope, access.refreshed, access.kind) == (refresh.scope, True, TokenKind.ACCESS)
    assert access.issued_at == NOW + DAY_S


def test_a_token_of_an_earlier_call_is_signed_for_its_own_moment():
    asked = consent()
    first = Notary()
    record = mint(first).refreshed(asked, mint().pair(asked).refresh)
    second = Notary()
    mint(second, now=NOW + 20).token(asked, record)
    assert second.signed == first.signed


def test_nothing_says_who_the_customer_is():
    notary = Notary()
    mint(notary).pair(consent())
    assert all("CI" not in json.dumps(claims) for claims, _ in notary.signed)
