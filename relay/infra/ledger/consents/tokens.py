"""Tokens in the ledger: kept, looked up, revoked. Never the token itself."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Row, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.issued_tokens import TOKEN_MOVES, TokenKind, TokenRecord, TokenState
from relay.domain.transition import moved
from relay.infra.ledger.database.tables import TOKENS
from relay.infra.ledger.transaction import Work

TOKEN_COLUMNS: Final = [column.label(f"token_{column.name}") for column in TOKENS.c]


def token_of(row: Row[Any]) -> TokenRecord:
    """The token of a row with TOKEN_COLUMNS."""
    return TokenRecord(
        jti=row.token_jti,
        kind=TokenKind(row.token_kind),
        consent_id=row.token_consent_id,
        scope=row.token_scope,
        issued_at=row.token_issued_at,
        expires_at=row.token_expires_at,
        digest=row.token_digest,
        refreshed=row.token_refreshed,
        state=TokenState(row.token_state),
    )


async def keep(work: Work, consent_id: str, tokens: Iterable[TokenRecord], why: str) -> None:
    """Keep new tokens of a consent. Raises ValueError for tokens of another consent or that are not live."""
    rows = []
    for token in tokens:
        if token.consent_id != consent_id or token.state is not TokenState.LIVE:
            raise ValueError("a new token is live and of the consent it is issued for")
        rows.append(
            {
                "jti": token.jti,
                "kind": token.kind.value,
                "consent_id": consent_id,
                "scope": token.scope,
                "issued_at": token.issued_at,
                "expires_at": token.expires_at,
                "digest": token.digest,
                "refreshed": token.refreshed,
                "state": token.state.value,
            }
        )
        work.moved("token", token.jti, None, token.state, why)
    await work.rows.execute(insert(TOKENS), rows)


async def of_consent(work: Work, consent_id: str, jti: str) -> tuple[TokenRecord | None, TokenRecord | None]:
    """Of the tokens of a locked consent: the one named, and the live access token."""
    wanted = select(*TOKEN_COLUMNS).where(
        TOKENS.c.consent_id == consent_id, or_(TOKENS.c.jti == jti, TOKENS.c.state == TokenState.LIVE.value)
    )
    tokens = [token_of(row) for row in await work.rows.execute(wanted)]
    named = next((token for token in tokens if token.jti == jti), None)
    live = (token for token in tokens if (token.kind, token.state) == (TokenKind.ACCESS, TokenState.LIVE))
    return named, next(live, None)


async def live_of(rows: AsyncConnection, consent_id: str) -> Mapping[TokenKind, TokenRecord]:
    """The live tokens of a consent, at most one of each kind."""
    live = select(*TOKEN_COLUMNS).where(TOKENS.c.consent_id == consent_id, TOKENS.c.state == TokenState.LIVE.value)
    found = [token_of(row) for row in await rows.execute(live)]
    return {token.kind: token for token in found}


async def revoke(work: Work, consent_id: str, kinds: Iterable[TokenKind], why: str) -> None:
    """Revoke the live tokens of these kinds of a locked consent; gateways hear of access tokens."""
    state = moved(TOKEN_MOVES, TokenState.LIVE, TokenState.REVOKED)
    live = and_(TOKENS.c.consent_id == consent_id, TOKENS.c.state == TokenState.LIVE.value)
    chosen = and_(live, TOKENS.c.kind.in_([kind.value for kind in kinds]))
    revoked = update(TOKENS).where(chosen).values(state=state.value).returning(TOKENS.c.jti, TOKENS.c.kind)
    for jti, kind in (await work.rows.execute(revoked)).all():
        work.moved("token", jti, TokenState.LIVE, state, why)
        if kind == TokenKind.ACCESS.value:
            work.revoked(jti)
