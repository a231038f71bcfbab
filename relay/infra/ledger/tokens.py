"""Tokens in the ledger: kept, looked up, revoked. Never the token itself."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from relay.domain.issue import TOKEN_MOVES, TokenKind, TokenRecord, TokenState
from relay.domain.transition import moved
from relay.infra.ledger.tables import TOKENS
from relay.infra.ledger.work import Work

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


async def live(work: Work, consent_id: str) -> dict[TokenKind, TokenRecord]:
    """The live tokens of a consent: at most one of each kind."""
    found = select(*TOKEN_COLUMNS).where(TOKENS.c.consent_id == consent_id, TOKENS.c.state == TokenState.LIVE.value)
    tokens = map(token_of, await work.rows.execute(found))
    return {token.kind: token for token in tokens}


async def revoke(work: Work, tokens: Iterable[TokenRecord], why: str) -> None:
    """Revoke tokens; gateways hear of access tokens."""
    jtis = []
    for token in tokens:
        work.moved("token", token.jti, token.state, moved(TOKEN_MOVES, token.state, TokenState.REVOKED), why)
        if token.kind is TokenKind.ACCESS:
            work.revoked(token.jti)
        jtis.append(token.jti)
    if jtis:
        await work.rows.execute(update(TOKENS).where(TOKENS.c.jti.in_(jtis)).values(state=TokenState.REVOKED.value))


async def revoke_all(work: Work, consent_id: str, why: str) -> None:
    """Revoke all live tokens of a consent."""
    await revoke(work, (await live(work, consent_id)).values(), why)
