"""Issues tokens for authorization codes and refresh tokens, and withdraws consents."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import Consent, ConsentState
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord, TokenState
from relay.domain.authorization.request import AuthorizationCode
from relay.domain.ledger import LedgerRefused, Reason, TokenHolder
from relay.infra.ledger.consents import consents, tokens
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import CODES, CONSENTS, TOKENS
from relay.infra.ledger.transaction import Transaction

IssuePair = Callable[[Consent], TokenPair]
IssueAccess = Callable[[Consent, TokenRecord], TokenRecord]


async def add_code(transaction: Transaction, code: AuthorizationCode, consent_id: str, request: Row[Any]) -> None:
    """Inserts the code that completes a request, with the request's redirect_uri."""
    row = {
        "digest": code.digest,
        "consent_id": consent_id,
        "request_id": request.request_id,
        "redirect_uri": request.redirect_uri,
        "expires_at": code.expires_at,
    }
    await transaction.connection.execute(insert(CODES), row)


async def spend_code(
    transaction: Transaction, digest: bytes, holder: TokenHolder, redirect_uri: str, issue: IssuePair
) -> tuple[Consent, TokenPair] | None:
    """Returns the consent and the pair for a code. For a used code returns None and revokes all its tokens.

    Raises LedgerRefused otherwise. The consent is locked before the code is read, so that one of two requests is first.
    """
    consent_id = select(CODES.c.consent_id).where(CODES.c.digest == digest).scalar_subquery()
    row = await consents.lock(transaction, consent_id)
    if row is None:
        raise LedgerRefused(Reason.CODE_UNKNOWN)
    code = (await transaction.connection.execute(select(CODES).where(CODES.c.digest == digest))).one()
    if not _is_held_by(row, holder):
        raise LedgerRefused(Reason.CODE_OF_ANOTHER)
    if code.spent_at is not None:
        await _revoke_for_replay(transaction, row)
        return None
    if transaction.now >= code.expires_at:
        raise LedgerRefused(Reason.CODE_EXPIRED)
    if code.redirect_uri != redirect_uri:
        raise LedgerRefused(Reason.REDIRECT_URI_DIFFERS)
    consent = await _load_in_force(transaction, row)
    pair = issue(consent)
    await transaction.connection.execute(update(CODES).where(CODES.c.digest == digest).values(spent_at=transaction.now))
    await add_pair(transaction, consent, pair)
    return consent, pair


async def add_pair(transaction: Transaction, consent: Consent, pair: TokenPair) -> None:
    """Inserts the first tokens of a consent. Raises ValueError unless there is one of each kind."""
    if (pair.access.kind, pair.refresh.kind) != (TokenKind.ACCESS, TokenKind.REFRESH):
        raise ValueError("a pair is an access token and a refresh token")
    await tokens.add(transaction, consent.consent_id, (pair.access, pair.refresh), "issued")


async def find_pair(
    connection: AsyncConnection, sealer: Sealer, consent_id: str, holder: TokenHolder, now: int
) -> tuple[Consent, TokenPair] | None:
    """Returns a consent in force of the holder and its first pair; None when one of the pair is no longer live."""
    row = (await connection.execute(select(CONSENTS).where(CONSENTS.c.consent_id == consent_id))).one_or_none()
    if row is None or not _is_held_by(row, holder) or not consents.is_in_force(row, now):
        return None
    live = await tokens.find_live(connection, consent_id)
    access, refresh = live.get(TokenKind.ACCESS), live.get(TokenKind.REFRESH)
    if access is None or refresh is None or access.refreshed or now >= access.expires_at:
        return None
    return await consents.load_consent(connection, sealer, row), TokenPair(access, refresh)


async def _revoke_for_replay(transaction: Transaction, row: Row[Any]) -> None:
    """Revokes the consent of a code that was used twice (RFC 6749 4.1.2): the code was stolen."""
    if row.state == ConsentState.ACTIVE.value:
        why = "its code was used twice"
        await consents.end(transaction, row.consent_id, ConsentState.ACTIVE, ConsentState.REVOKED, why)


async def refresh(
    transaction: Transaction, jti: str, holder: TokenHolder, issue: IssueAccess, again_s: int
) -> tuple[Consent, TokenRecord]:
    """Returns the access token for a refresh token: the last one when it is recent, else a new one that replaces it.

    Raises LedgerRefused.
    """
    row = await _lock_consent_of(transaction, jti)
    if row is None:
        raise LedgerRefused(Reason.REFRESH_UNKNOWN)
    used, former = await tokens.find_with_live_access(transaction, row.consent_id, jti)
    if used is None or used.kind is not TokenKind.REFRESH:
        raise LedgerRefused(Reason.REFRESH_UNKNOWN)
    if not _is_held_by(row, holder):
        raise LedgerRefused(Reason.REFRESH_OF_ANOTHER)
    if consents.is_past(row, transaction.now):
        raise LedgerRefused(Reason.CONSENT_ENDED)
    if used.state is not TokenState.LIVE:
        raise LedgerRefused(Reason.REFRESH_REVOKED)
    if transaction.now >= used.expires_at:
        raise LedgerRefused(Reason.REFRESH_EXPIRED)
    consent = await _load_in_force(transaction, row)
    if former is not None and _is_recent(former, again_s, transaction.now):
        return consent, former
    token = replace(issue(consent, used), refreshed=True)
    if token.kind is not TokenKind.ACCESS:
        raise ValueError("a refresh issues an access token")
    await tokens.revoke(transaction, consent.consent_id, (TokenKind.ACCESS,), "refreshed")
    await tokens.add(transaction, consent.consent_id, (token,), "refreshed")
    return consent, token


async def withdraw(transaction: Transaction, jti: str, holder: TokenHolder) -> bool:
    """Revokes the consent in force of a token, also of an expired or revoked one. Returns False when there is none."""
    row = await _lock_consent_of(transaction, jti)
    if row is None or not _is_held_by(row, holder) or not consents.is_in_force(row, transaction.now):
        return False
    await consents.end(transaction, row.consent_id, ConsentState.ACTIVE, ConsentState.REVOKED, "withdrawn")
    return True


async def _lock_consent_of(transaction: Transaction, jti: str) -> Row[Any] | None:
    return await consents.lock(transaction, select(TOKENS.c.consent_id).where(TOKENS.c.jti == jti).scalar_subquery())


def _is_recent(access: TokenRecord, again_s: int, now: int) -> bool:
    """Whether a refresh issued this just now: operators repeat a call whose response was lost."""
    return access.refreshed and now - access.issued_at <= again_s and now < access.expires_at


def _is_held_by(row: Row[Any], holder: TokenHolder) -> bool:
    return (row.client_id, row.provider) == (holder.client_id, holder.provider)


async def _load_in_force(transaction: Transaction, row: Row[Any]) -> Consent:
    """Returns the consent of a locked row. Raises LedgerRefused CONSENT_ENDED when it or its last day is over."""
    consent = await consents.load_consent(transaction.connection, transaction.sealer, row)
    if consent.state is not ConsentState.ACTIVE or transaction.now >= consent.particulars.ends_at:
        raise LedgerRefused(Reason.CONSENT_ENDED)
    return consent
