"""Issues tokens for a consent: claims, scope and lifetime (규격 2.2, 3.1; core 3.6, 3.9). Pure."""

from collections.abc import Callable, Mapping
from typing import Final, Self

from relay.domain.authorization.consent import Consent, build_scope
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.domain.authorization.token import REFRESH
from relay.domain.korea import DAY_S
from relay.domain.ledger import LedgerRefused, Reason
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.dependencies import AuthorityDependencies, TokenCall
from relay.policy.settings.authority import TokenSettings

Sign = Callable[[Mapping[str, object], int], tuple[str, bytes]]
"""Signs claims at a time (epoch seconds). Returns the token and the SHA-256 of the signed bytes, as `Signer.sign`."""

_MAX_SCOPE_LENGTH: Final = 128
"""권한 범위, aNS(128)."""


def build_token_scope(industry: str, scopes: tuple[str, ...]) -> str:
    """Returns the scope of a token: always `<industry>.list` first, each scope once.

    Raises OAuthRefusal invalid_scope for a scope of another industry, or when they exceed the length of the standard.
    """
    scope = build_scope(industry, scopes)
    if len(scope) > _MAX_SCOPE_LENGTH or not all(name.startswith(f"{industry}.") for name in scope.split(" ")):
        raise OAuthRefusal(
            "invalid_scope", f"전송요구의 scope가 해당 업권의 scope가 아닙니다: scope ({industry}.으로 시작)"
        )
    return scope


class TokenIssuer:
    """Issues the tokens of one call. It keeps each signed token, so that none is signed twice.

    `now` in epoch seconds; `random` returns new jtis.
    """

    def __init__(self, tokens: TokenSettings, industry: str, sign: Sign, random: Callable[[], str], now: int) -> None:
        self._tokens = tokens
        self._industry = industry
        self._sign = sign
        self._random = random
        self._now = now
        self._signed: dict[bytes, str] = {}

    @classmethod
    def for_call(cls, dependencies: AuthorityDependencies, call: TokenCall) -> Self:
        """Returns the issuer for a call."""
        return cls(
            dependencies.settings.tokens,
            call.provider.industry,
            dependencies.signer.sign,
            dependencies.random,
            call.now,
        )

    def issue_pair(self, consent: Consent) -> TokenPair:
        """Issues an access token and a refresh token for a consent.

        Raises LedgerRefused CONSENT_ENDED after its last day; OAuthRefusal invalid_scope.
        """
        scope = build_token_scope(self._industry, consent.particulars.scopes)
        access = self._issue(consent, TokenKind.ACCESS, scope)
        return TokenPair(access, self._issue(consent, TokenKind.REFRESH, scope))

    def issue_access(self, consent: Consent, refresh: TokenRecord) -> TokenRecord:
        """Issues an access token with the scope of the refresh token. Raises LedgerRefused CONSENT_ENDED."""
        return self._issue(consent, TokenKind.ACCESS, refresh.scope, refreshed=True)

    def get_token(self, consent: Consent, record: TokenRecord) -> str:
        """Returns the token of a record. A record of an earlier call is signed again, as of its time of issue."""
        return self._signed.get(record.digest) or self._sign(self._claims(consent, record), record.issued_at)[0]

    def build_pair_body(self, consent: Consent, pair: TokenPair) -> dict[str, str]:
        """Returns the response body of 개별인증-002; 통합인증-002 adds its `tx_id`."""
        return {
            **self.build_access_body(consent, pair.access),
            "refresh_token": self.get_token(consent, pair.refresh),
            "refresh_token_expires_in": self._seconds_left(pair.refresh),
            "scope": pair.access.scope,
        }

    def build_access_body(self, consent: Consent, access: TokenRecord) -> dict[str, str]:
        """Returns the response body of 개별인증-003: no refresh token and no scope, because neither changes."""
        return {
            "token_type": "Bearer",
            "access_token": self.get_token(consent, access),
            "expires_in": self._seconds_left(access),
        }

    def _issue(self, consent: Consent, kind: TokenKind, scope: str, *, refreshed: bool = False) -> TokenRecord:
        days = self._tokens.access_days if kind is TokenKind.ACCESS else self._tokens.refresh_days
        expires_at = min(self._now + days * DAY_S, consent.particulars.ends_at)
        if expires_at <= self._now:
            raise LedgerRefused(Reason.CONSENT_ENDED)
        fields = (self._random(), kind, consent.consent_id, scope, self._now, expires_at)
        token, digest = self._sign(self._claims(consent, TokenRecord(*fields, digest=b"")), self._now)
        self._signed[digest] = token
        return TokenRecord(*fields, digest=digest, refreshed=refreshed)

    def _claims(self, consent: Consent, record: TokenRecord) -> dict[str, object]:
        """Returns the claims of a token: those of the standard and our own, nothing about the customer (core 3.6)."""
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
