"""Rows of authorization requests: created, bound to one browser, answered once."""

import hmac
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.request import MAX_LOGINS, REQUEST_MOVES, AuthorizationRequest, RequestState
from relay.domain.ledger import LedgerRefused, Reason
from relay.domain.transition import apply_transition
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import AUTHORIZATION_REQUESTS as REQUESTS
from relay.infra.ledger.transaction import Transaction

_ANSWERED = {
    RequestState.CONSENTED: Reason.REQUEST_ANSWERED,
    RequestState.DENIED: Reason.REQUEST_ANSWERED,
    RequestState.LOCKED: Reason.REQUEST_LOCKED,
}


def ci_context(request_id: str) -> str:
    """Returns the sealing context of a request's CI."""
    return f"ci of a request:{request_id}"


def state_context(request_id: str) -> str:
    """Returns the sealing context of a request's `state`."""
    return f"state of a request:{request_id}"


async def add(transaction: Transaction, request: AuthorizationRequest) -> None:
    """Inserts a new request. Raises ValueError when it is not open."""
    if request.state is not RequestState.OPEN or request.failures:
        raise ValueError("a new request is open")
    row = {
        "request_id": request.request_id,
        "provider": request.provider,
        "operator": request.operator,
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "app_scheme": request.app_scheme,
        "oauth_state": transaction.sealer.seal(request.oauth_state.encode(), state_context(request.request_id)),
        "api_tran_id": request.api_tran_id,
        "asked_at": request.requested_at,
        "expires_at": request.expires_at,
        "ci": transaction.sealer.seal(request.ci.encode(), ci_context(request.request_id)),
        "state": request.state.value,
        "failures": 0,
    }
    await transaction.connection.execute(insert(REQUESTS), row)
    transaction.record_move("request", request.request_id, None, request.state, "asked for")


async def load_row(connection: AsyncConnection, request_id: str, *, lock: bool = False) -> Row[Any]:
    """Returns the row of a request. Raises LedgerRefused REQUEST_UNKNOWN."""
    query = select(REQUESTS).where(REQUESTS.c.request_id == request_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise LedgerRefused(Reason.REQUEST_UNKNOWN)
    return row


def require_unanswered(row: Row[Any], now: int) -> RequestState:
    """Returns the state of a request that can still be answered. Raises LedgerRefused as `Ledger.load_request` does."""
    state = RequestState(row.state)
    if state in _ANSWERED:
        raise LedgerRefused(_ANSWERED[state])
    if now >= row.expires_at:
        raise LedgerRefused(Reason.REQUEST_EXPIRED)
    return state


def is_owned(row: Row[Any], browser: bytes) -> bool:
    """Whether this browser owns the request; False when it has no owner. Raises LedgerRefused when another owns it."""
    if row.browser is None:
        return False
    if not hmac.compare_digest(row.browser, browser):
        raise LedgerRefused(Reason.REQUEST_UNKNOWN)
    return True


async def bind_browser(transaction: Transaction, request_id: str, browser: bytes) -> Row[Any]:
    """Makes this browser the owner. Raises LedgerRefused when another became the owner or the request is over."""
    row = await load_row(transaction.connection, request_id, lock=True)
    if not is_owned(row, browser):
        require_unanswered(row, transaction.now)
        change = update(REQUESTS).where(REQUESTS.c.request_id == request_id).values(browser=browser)
        await transaction.connection.execute(change)
    return row


async def count_failure(transaction: Transaction, request_id: str) -> AuthorizationRequest:
    """Counts a wrong login of an open request; the MAX_LOGINS-th locks it. Raises LedgerRefused."""
    row = await load_row(transaction.connection, request_id, lock=True)
    if require_unanswered(row, transaction.now) is not RequestState.OPEN:
        raise LedgerRefused(Reason.REQUEST_ANSWERED)
    failures = row.failures + 1
    change = update(REQUESTS).where(REQUESTS.c.request_id == request_id).values(failures=failures)
    await transaction.connection.execute(change)
    state = RequestState.OPEN
    if failures >= MAX_LOGINS:
        state = await _change_state(transaction, row, RequestState.LOCKED, "too many wrong logins")
    return read_request(transaction.sealer, row, state, failures)


async def answer(transaction: Transaction, request_id: str, to: RequestState, why: str) -> Row[Any]:
    """Moves an unanswered request to the state `to`. Returns its former row.

    Raises LedgerRefused, also when the state is `to` already: the second of two answers.
    Raises InvalidTransition for a move that REQUEST_MOVES does not have.
    """
    row = await load_row(transaction.connection, request_id, lock=True)
    if require_unanswered(row, transaction.now) is to:
        raise LedgerRefused(Reason.REQUEST_ANSWERED)
    await _change_state(transaction, row, to, why)
    return row


async def _change_state(transaction: Transaction, row: Row[Any], to: RequestState, why: str) -> RequestState:
    was = RequestState(row.state)
    state = apply_transition(REQUEST_MOVES, was, to)
    change = update(REQUESTS).where(REQUESTS.c.request_id == row.request_id).values(state=state.value)
    await transaction.connection.execute(change)
    transaction.record_move("request", row.request_id, was, state, why)
    return state


def read_request(
    sealer: Sealer, row: Row[Any], state: RequestState | None = None, failures: int | None = None
) -> AuthorizationRequest:
    """Returns the request of a row; `state` and `failures` override the row's."""
    return AuthorizationRequest(
        request_id=row.request_id,
        provider=row.provider,
        operator=row.operator,
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        app_scheme=row.app_scheme,
        oauth_state=sealer.unseal(row.oauth_state, state_context(row.request_id)).decode(),
        api_tran_id=row.api_tran_id,
        requested_at=row.asked_at,
        expires_at=row.expires_at,
        ci=sealer.unseal(row.ci, ci_context(row.request_id)).decode(),
        state=state or RequestState(row.state),
        failures=row.failures if failures is None else failures,
    )
