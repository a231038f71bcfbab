"""Tokens as the ledger knows them: never the token itself (규격 2.2, 3.1; RFC 6749)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class TokenKind(StrEnum):
    """접근토큰 or 리프레시 토큰."""

    ACCESS = "access"
    REFRESH = "refresh"


class TokenState(StrEnum):
    """Whether a token is good; that it ends by itself is told by its expiry."""

    LIVE = "live"
    REVOKED = "revoked"


TOKEN_MOVES: Final[Mapping[TokenState, frozenset[TokenState]]] = {TokenState.LIVE: frozenset({TokenState.REVOKED})}


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token that was issued. `scope` is space-separated; times in whole seconds since the epoch.

    `digest` is SHA-256 over header and payload as they were signed: the same for every signature of the same claims.
    `refreshed` tells an access token that a refresh gave from one that came with its refresh token.
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
class Pair:
    """What a grant gives: an access token and the refresh token beside it."""

    access: TokenRecord
    refresh: TokenRecord
