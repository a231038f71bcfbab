"""Tokens for a consent: what they say and how long they last (규격 2.2, 3.1; core 3.6, 3.9). Pure."""

from collections.abc import Callable, Mapping
from typing import Final, Self

from relay.domain.authorization.consent import Consent, scope_at
from relay.domain.authorization.issued_tokens import Pair, TokenKind, TokenRecord
from relay.domain.authorization.token import REFRESH
from relay.domain.ledger import NotGranted, Why
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.services import Authority, TokenCall
from relay.policy.settings.authority import Tokens

Sign = Callable[[Mapping[str, object], int], tuple[str, bytes]]
"""Signs claims for a moment (epoch seconds): the token, and SHA-256 of what was signed. `Signer.sign` is one."""

DAY_S: Final = 86_400
_SCOPE_MOST: Final = 128
"""권한 범위, aNS(128)."""


def scope_of(industry: str, scopes: tuple[str, ...]) -> str:
    """The scope of a token: `<industry>.list` first, whatever was chosen, each scope once.

    Raises OAuthRefusal invalid_scope when one is of another industry or the standard has no room for them all.
    """
    scope = scope_at(industry, scopes)
    if len(scope) > _SCOPE_MOST or not all(each.startswith(f"{industry}.") for each in scope.split(" ")):
        raise OAuthRefusal("invalid_scope", "전송요구의 scope가 해당 업권의 scope가 아닙니다")
    return scope


class Mint:
    """Makes the tokens of one call. It remembers what it signed while it lives, so that nothing is signed twice.

    `now` in epoch seconds; `random` makes jtis.
    """

    def __init__(self, tokens: Tokens, industry: str, sign: Sign, random: Callable[[], str], now: int) -> None:
        self._tokens = tokens
        self._industry = industry
        self._sign = sign
        self._random = random
        self._now = now
        self._signed: dict[bytes, str] = {}

    @classmethod
    def of(cls, authority: Authority, call: TokenCall) -> Self:
        """The mint of one call."""
        return cls(authority.office.tokens, call.provider.industry, authority.signer.sign, authority.random, call.now)

    def pair(self, consent: Consent) -> Pair:
        """An access token and a refresh token for a consent.

        Raises NotGranted CONSENT_ENDED after its last day, OAuthRefusal invalid_scope.
        """
        scope = scope_of(self._industry, consent.particulars.scopes)
        access = self._record(consent, TokenKind.ACCESS, scope)
        return Pair(access, self._record(consent, TokenKind.REFRESH, scope))

    def refreshed(self, consent: Consent, refresh: TokenRecord) -> TokenRecord:
        """A new access token with the refresh token's scope. Raises NotGranted CONSENT_ENDED."""
        return self._record(consent, TokenKind.ACCESS, refresh.scope, refreshed=True)

    def token(self, consent: Consent, record: TokenRecord) -> str:
        """The token of a record; one that another call recorded is signed anew, for the moment it was issued."""
        return self._signed.get(record.digest) or self._sign(self._claims(consent, record), record.issued_at)[0]

    def pair_answer(self, consent: Consent, pair: Pair) -> dict[str, str]:
        """The body of 개별인증-002; 통합인증-002 adds its `tx_id`."""
        return {
            **self.access_answer(consent, pair.access),
            "refresh_token": self.token(consent, pair.refresh),
            "refresh_token_expires_in": self._seconds_left(pair.refresh),
            "scope": pair.access.scope,
        }

    def access_answer(self, consent: Consent, access: TokenRecord) -> dict[str, str]:
        """The body of 개별인증-003: no refresh token and no scope, for neither changes."""
        return {
            "token_type": "Bearer",
            "access_token": self.token(consent, access),
            "expires_in": self._seconds_left(access),
        }

    def _record(self, consent: Consent, kind: TokenKind, scope: str, *, refreshed: bool = False) -> TokenRecord:
        days = self._tokens.access_days if kind is TokenKind.ACCESS else self._tokens.refresh_days
        expires_at = min(self._now + days * DAY_S, consent.particulars.ends_at)
        if expires_at <= self._now:
            raise NotGranted(Why.CONSENT_ENDED)
        told = (self._random(), kind, consent.consent_id, scope, self._now, expires_at)
        token, digest = self._sign(self._claims(consent, TokenRecord(*told, digest=b"")), self._now)
        self._signed[digest] = token
        return TokenRecord(*told, digest=digest, refreshed=refreshed)

    def _claims(self, consent: Consent, record: TokenRecord) -> dict[str, object]:
        """What a token says: the standard's five, when and for whom, and nothing about the customer (core 3.6)."""
        claims = {
            "iss": self._tokens.issuer,
            "aud": consent.operator,
            "jti": record.jti,
            "iat": record.issued_at,
            "exp": record.expires_at,
            "scope": record.scope,
            "org_code": consent.provider,
            "client_id": consent.client_id,
            "cid": consent.consent_id,
        }
        return claims if record.kind is TokenKind.ACCESS else {**claims, "use": REFRESH}

    def _seconds_left(self, record: TokenRecord) -> str:
        return str(record.expires_at - self._now)
