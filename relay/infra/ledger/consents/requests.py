"""Requests for authorization in the ledger: asked for, owned by one browser, answered once."""

import hmac
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.request import LOGINS_MOST, REQUEST_MOVES, AuthorizationRequest, RequestState
from relay.domain.ledger import NotGranted, Why
from relay.domain.transition import moved
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import AUTHORIZATION_REQUESTS as REQUESTS
from relay.infra.ledger.transaction import Work

_OVER = {
    RequestState.CONSENTED: Why.REQUEST_ANSWERED,
    RequestState.DENIED: Why.REQUEST_ANSWERED,
    RequestState.LOCKED: Why.REQUEST_LOCKED,
}


def ci_place(request_id: str) -> str:
    """Where a request's CI is sealed."""
    return f"ci of a request:{request_id}"


def state_place(request_id: str) -> str:
    """Where the `state` of a request is sealed."""
    return f"state of a request:{request_id}"


async def keep(work: Work, request: AuthorizationRequest) -> None:
    """Keep a new request. Raises ValueError when it is not open."""
    if request.state is not RequestState.OPEN or request.failures:
        raise ValueError("a new request is open")
    row = {
        "request_id": request.request_id,
        "provider": request.provider,
        "operator": request.operator,
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "app_scheme": request.app_scheme,
        "oauth_state": work.sealer.seal(request.oauth_state.encode(), state_place(request.request_id)),
        "api_tran_id": request.api_tran_id,
        "asked_at": request.asked_at,
        "expires_at": request.expires_at,
        "ci": work.sealer.seal(request.ci.encode(), ci_place(request.request_id)),
        "state": request.state.value,
        "failures": 0,
    }
    await work.rows.execute(insert(REQUESTS), row)
    work.moved("request", request.request_id, None, request.state, "asked for")


async def found(rows: AsyncConnection, request_id: str, *, lock: bool = False) -> Row[Any]:
    """The row of a request. Raises NotGranted REQUEST_UNKNOWN."""
    wanted = select(REQUESTS).where(REQUESTS.c.request_id == request_id)
    row = (await rows.execute(wanted.with_for_update() if lock else wanted)).one_or_none()
    if row is None:
        raise NotGranted(Why.REQUEST_UNKNOWN)
    return row


def standing(row: Row[Any], now: int) -> RequestState:
    """The state of a request that may still be answered. Raises NotGranted as `Ledger.request` does."""
    state = RequestState(row.state)
    if state in _OVER:
        raise NotGranted(_OVER[state])
    if now >= row.expires_at:
        raise NotGranted(Why.REQUEST_EXPIRED)
    return state


def is_owned(row: Row[Any], browser: bytes) -> bool:
    """Whether this browser owns the request; False while nobody does. Raises NotGranted when another one does."""
    if row.browser is None:
        return False
    if not hmac.compare_digest(row.browser, browser):
        raise NotGranted(Why.REQUEST_UNKNOWN)
    return True


async def own(work: Work, request_id: str, browser: bytes) -> Row[Any]:
    """Give the request to this browser. Raises NotGranted when it was another's in the meantime, or is over."""
    row = await found(work.rows, request_id, lock=True)
    if not is_owned(row, browser):
        standing(row, work.now)
        await work.rows.execute(update(REQUESTS).where(REQUESTS.c.request_id == request_id).values(browser=browser))
    return row


async def count_failure(work: Work, request_id: str) -> AuthorizationRequest:
    """One more wrong login of an open request; the last of LOGINS_MOST locks it. Raises NotGranted."""
    row = await found(work.rows, request_id, lock=True)
    if standing(row, work.now) is not RequestState.OPEN:
        raise NotGranted(Why.REQUEST_ANSWERED)
    failures = row.failures + 1
    counted = update(REQUESTS).where(REQUESTS.c.request_id == request_id).values(failures=failures)
    await work.rows.execute(counted)
    state = RequestState.OPEN
    if failures >= LOGINS_MOST:
        state = await become(work, row, RequestState.LOCKED, "too many wrong logins")
    return request_of(work.sealer, row, state, failures)


async def answer(work: Work, request_id: str, to: RequestState, why: str) -> Row[Any]:
    """Move a request that may still be answered; its row as it was before.

    Raises NotGranted, also when it is there already: the second of two answers. Raises Forbidden when no table lets it.
    """
    row = await found(work.rows, request_id, lock=True)
    if standing(row, work.now) is to:
        raise NotGranted(Why.REQUEST_ANSWERED)
    await become(work, row, to, why)
    return row


async def become(work: Work, row: Row[Any], to: RequestState, why: str) -> RequestState:
    """Move a locked request. Raises Forbidden."""
    was = RequestState(row.state)
    state = moved(REQUEST_MOVES, was, to)
    changed = update(REQUESTS).where(REQUESTS.c.request_id == row.request_id).values(state=state.value)
    await work.rows.execute(changed)
    work.moved("request", row.request_id, was, state, why)
    return state


def request_of(
    sealer: Sealer, row: Row[Any], state: RequestState | None = None, failures: int | None = None
) -> AuthorizationRequest:
    """The request of a row; `state` and `failures` when they changed since."""
    return AuthorizationRequest(
        request_id=row.request_id,
        provider=row.provider,
        operator=row.operator,
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        app_scheme=row.app_scheme,
        oauth_state=sealer.unseal(row.oauth_state, state_place(row.request_id)).decode(),
        api_tran_id=row.api_tran_id,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        ci=sealer.unseal(row.ci, ci_place(row.request_id)).decode(),
        state=state or RequestState(row.state),
        failures=row.failures if failures is None else failures,
    )
