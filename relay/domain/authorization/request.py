"""개별인증: an authorization request that the customer answers, and the code that completes it (규격 3.2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_LOGINS: Final = 5
"""The number of wrong logins that locks a request."""


class RequestState(StrEnum):
    """The state of a request.

    `LOCKED` after too many wrong logins; `DENIED` by the customer, or because another person logged in.
    """

    OPEN = "open"
    AUTHENTICATED = "authenticated"
    CONSENTED = "consented"
    DENIED = "denied"
    LOCKED = "locked"


REQUEST_MOVES: Final[Mapping[RequestState, frozenset[RequestState]]] = {
    RequestState.OPEN: frozenset({RequestState.AUTHENTICATED, RequestState.DENIED, RequestState.LOCKED}),
    RequestState.AUTHENTICATED: frozenset({RequestState.CONSENTED, RequestState.DENIED}),
}
"""A request is answered only once."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request of 개별인증-001. `request_id` is random and used once; times in whole seconds since the epoch.

    `ci` is the `x-user-ci` of the call: only this customer may log in. `failures` counts wrong logins.
    """

    request_id: str
    provider: str
    operator: str
    client_id: str
    redirect_uri: str
    app_scheme: str
    oauth_state: str
    api_tran_id: str
    requested_at: int
    expires_at: int
    ci: str = field(repr=False)
    state: RequestState = RequestState.OPEN
    failures: int = 0


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """인가코드 as the ledger stores it: its SHA-256 and its expiry (at most 10 minutes after its issue)."""

    digest: bytes = field(repr=False)
    expires_at: int
