"""Issued tokens as the ledger stores them: never the token itself (규격 2.2, 3.1; RFC 6749)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class TokenKind(StrEnum):
    """접근토큰 or 리프레시 토큰."""

    ACCESS = "access"
    REFRESH = "refresh"


class TokenState(StrEnum):
    """Whether a token is revoked; an expired token stays LIVE."""

    LIVE = "live"
    REVOKED = "revoked"


TOKEN_MOVES: Final[Mapping[TokenState, frozenset[TokenState]]] = {TokenState.LIVE: frozenset({TokenState.REVOKED})}


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An issued token. `scope` is space-separated; times in whole seconds since the epoch.

    `digest` is SHA-256 over the signed header and payload: the same for every signature of the same claims.
    `refreshed` is true for an access token that a refresh issued, false for one issued with its refresh token.
    """

    jti: str
    kind: TokenKind
    consent_id: str
    scope: str
    issued_at: int
    expires_at: int
    digest: bytes = field(repr=False)
    refreshed: bool = False
    state: TokenState = TokenState.LIVE


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token and its refresh token, issued together."""

    access: TokenRecord
    refresh: TokenRecord
