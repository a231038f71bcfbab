"""How tokens come out of the ledger: for a code, for a refresh token; and how they end with their consent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import Consent, ConsentState
from relay.domain.authorization.issued_tokens import Pair, TokenKind, TokenRecord, TokenState
from relay.domain.authorization.request import Code
from relay.domain.ledger import Holder, NotGranted, Why
from relay.infra.ledger.consents import consents, tokens
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import CODES, CONSENTS, TOKENS
from relay.infra.ledger.transaction import Work

IssuePair = Callable[[Consent], Pair]
IssueAccess = Callable[[Consent, TokenRecord], TokenRecord]


async def keep_code(work: Work, code: Code, consent_id: str, request: Row[Any]) -> None:
    """Keep the code that the request ended in, with the redirect_uri that it was asked for with."""
    row = {
        "digest": code.digest,
        "consent_id": consent_id,
        "request_id": request.request_id,
        "redirect_uri": request.redirect_uri,
        "expires_at": code.expires_at,
    }
    await work.rows.execute(insert(CODES), row)


async def spend_code(
    work: Work, digest: bytes, holder: Holder, redirect_uri: str, issue: IssuePair
) -> tuple[Consent, Pair] | None:
    """The consent and the pair for a code. None for a code used before: then everything it gave is revoked.

    Raises NotGranted for all else. The consent is locked before the code is read: of two that spend it, one is first.
    """
    row = await consents.locked(work, select(CODES.c.consent_id).where(CODES.c.digest == digest).scalar_subquery())
    if row is None:
        raise NotGranted(Why.CODE_UNKNOWN)
    code = (await work.rows.execute(select(CODES).where(CODES.c.digest == digest))).one()
    if not _holds(row, holder):
        raise NotGranted(Why.CODE_OF_ANOTHER)
    if code.spent_at is not None:
        await _end_for_replay(work, row)
        return None
    if work.now >= code.expires_at:
        raise NotGranted(Why.CODE_EXPIRED)
    if code.redirect_uri != redirect_uri:
        raise NotGranted(Why.REDIRECT_URI_DIFFERS)
    consent = await _in_force(work, row)
    pair = issue(consent)
    await work.rows.execute(update(CODES).where(CODES.c.digest == digest).values(spent_at=work.now))
    await keep_pair(work, consent, pair)
    return consent, pair


async def keep_pair(work: Work, consent: Consent, pair: Pair) -> None:
    """Keep the first tokens of a consent. Raises ValueError when they are not one of each kind."""
    if (pair.access.kind, pair.refresh.kind) != (TokenKind.ACCESS, TokenKind.REFRESH):
        raise ValueError("a pair is an access token and a refresh token")
    await tokens.keep(work, consent.consent_id, (pair.access, pair.refresh), "issued")


async def issued(
    rows: AsyncConnection, sealer: Sealer, consent_id: str, holder: Holder, now: int
) -> tuple[Consent, Pair] | None:
    """A consent in force of the holder with the pair it was given; None when that is not its live pair any more."""
    row = (await rows.execute(select(CONSENTS).where(CONSENTS.c.consent_id == consent_id))).one_or_none()
    if row is None or not _holds(row, holder) or not consents.is_in_force(row, now):
        return None
    live = await tokens.live_of(rows, consent_id)
    access, refresh = live.get(TokenKind.ACCESS), live.get(TokenKind.REFRESH)
    if access is None or refresh is None or access.refreshed or now >= access.expires_at:
        return None
    return await consents.consent_of(rows, sealer, row), Pair(access, refresh)


async def _end_for_replay(work: Work, row: Row[Any]) -> None:
    """RFC 6749 4.1.2: a code that comes twice was stolen once."""
    if row.state == ConsentState.ACTIVE.value:
        await consents.end(work, row.consent_id, ConsentState.ACTIVE, ConsentState.REVOKED, "its code was used twice")


async def refresh(
    work: Work, jti: str, holder: Holder, issue: IssueAccess, again_s: int
) -> tuple[Consent, TokenRecord]:
    """The access token for a refresh token: that of a moment ago, or a new one in place of the former.

    Raises NotGranted.
    """
    row = await consents.locked(work, select(TOKENS.c.consent_id).where(TOKENS.c.jti == jti).scalar_subquery())
    if row is None:
        raise NotGranted(Why.REFRESH_UNKNOWN)
    used, former = await tokens.of_consent(work, row.consent_id, jti)
    if used is None or used.kind is not TokenKind.REFRESH:
        raise NotGranted(Why.REFRESH_UNKNOWN)
    if not _holds(row, holder):
        raise NotGranted(Why.REFRESH_OF_ANOTHER)
    if consents.is_past(row, work.now):
        raise NotGranted(Why.CONSENT_ENDED)
    if used.state is not TokenState.LIVE:
        raise NotGranted(Why.REFRESH_REVOKED)
    if work.now >= used.expires_at:
        raise NotGranted(Why.REFRESH_EXPIRED)
    consent = await _in_force(work, row)
    if former is not None and _is_recent(former, again_s, work.now):
        return consent, former
    token = replace(issue(consent, used), refreshed=True)
    if token.kind is not TokenKind.ACCESS:
        raise ValueError("a refresh gives an access token")
    await tokens.revoke(work, consent.consent_id, (TokenKind.ACCESS,), "refreshed")
    await tokens.keep(work, consent.consent_id, (token,), "refreshed")
    return consent, token


async def withdraw(work: Work, jti: str, holder: Holder) -> bool:
    """Revoke the consent in force behind a token, whatever became of the token; False when there is none."""
    row = await consents.locked(work, select(TOKENS.c.consent_id).where(TOKENS.c.jti == jti).scalar_subquery())
    if row is None or not _holds(row, holder) or not consents.is_in_force(row, work.now):
        return False
    await consents.end(work, row.consent_id, ConsentState.ACTIVE, ConsentState.REVOKED, "withdrawn")
    return True


def _is_recent(access: TokenRecord, again_s: int, now: int) -> bool:
    """Whether a refresh gave this just now: operators repeat a call whose answer was lost."""
    return access.refreshed and now - access.issued_at <= again_s and now < access.expires_at


def _holds(row: Row[Any], holder: Holder) -> bool:
    return (row.client_id, row.provider) == (holder.client_id, holder.provider)


async def _in_force(work: Work, row: Row[Any]) -> Consent:
    """The consent of a locked row. Raises NotGranted CONSENT_ENDED: over, or its last day is."""
    consent = await consents.consent_of(work.rows, work.sealer, row)
    if consent.state is not ConsentState.ACTIVE or work.now >= consent.particulars.ends_at:
        raise NotGranted(Why.CONSENT_ENDED)
    return consent
