"""Rows of tokens: insert, look up, revoke. The token itself is never stored."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Row, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.issued_tokens import TOKEN_MOVES, TokenKind, TokenRecord, TokenState
from relay.domain.transition import apply_transition
from relay.infra.ledger.database.tables import TOKENS
from relay.infra.ledger.transaction import Transaction

TOKEN_COLUMNS: Final = [column.label(f"token_{column.name}") for column in TOKENS.c]


def read_token(row: Row[Any]) -> TokenRecord:
    """Returns the token of a row with TOKEN_COLUMNS."""
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


async def add(transaction: Transaction, consent_id: str, tokens: Iterable[TokenRecord], why: str) -> None:
    """Inserts new tokens of a consent. Raises ValueError for tokens of another consent or that are not live."""
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
        transaction.record_move("token", token.jti, None, token.state, why)
    await transaction.connection.execute(insert(TOKENS), rows)


async def find_with_live_access(
    transaction: Transaction, consent_id: str, jti: str
) -> tuple[TokenRecord | None, TokenRecord | None]:
    """Returns two tokens of a locked consent: the token `jti` and the live access token."""
    query = select(*TOKEN_COLUMNS).where(
        TOKENS.c.consent_id == consent_id, or_(TOKENS.c.jti == jti, TOKENS.c.state == TokenState.LIVE.value)
    )
    tokens = [read_token(row) for row in await transaction.connection.execute(query)]
    named = next((token for token in tokens if token.jti == jti), None)
    live = (token for token in tokens if (token.kind, token.state) == (TokenKind.ACCESS, TokenState.LIVE))
    return named, next(live, None)


async def find_live(connection: AsyncConnection, consent_id: str) -> Mapping[TokenKind, TokenRecord]:
    """Returns the live tokens of a consent, at most one of each kind."""
    query = select(*TOKEN_COLUMNS).where(TOKENS.c.consent_id == consent_id, TOKENS.c.state == TokenState.LIVE.value)
    tokens = [read_token(row) for row in await connection.execute(query)]
    return {token.kind: token for token in tokens}


async def revoke(transaction: Transaction, consent_id: str, kinds: Iterable[TokenKind], why: str) -> None:
    """Revokes the live tokens of these kinds of a locked consent. Gateways are notified of access tokens."""
    state = apply_transition(TOKEN_MOVES, TokenState.LIVE, TokenState.REVOKED)
    is_live = and_(TOKENS.c.consent_id == consent_id, TOKENS.c.state == TokenState.LIVE.value)
    is_chosen = and_(is_live, TOKENS.c.kind.in_([kind.value for kind in kinds]))
    change = update(TOKENS).where(is_chosen).values(state=state.value).returning(TOKENS.c.jti, TOKENS.c.kind)
    for jti, kind in (await transaction.connection.execute(change)).all():
        transaction.record_move("token", jti, TokenState.LIVE, state, why)
        if kind == TokenKind.ACCESS.value:
            transaction.record_revocation(jti)
