"""개별인증: a request on its way through the customer's hands, and the code it ends in (규격 3.2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

LOGINS_MOST: Final = 5
"""So many wrong logins lock a request."""


class RequestState(StrEnum):
    """Where a request stands. `LOCKED` after too many wrong logins; `DENIED` by the customer or for who they are."""

    OPEN = "open"
    AUTHENTICATED = "authenticated"
    CONSENTED = "consented"
    DENIED = "denied"
    LOCKED = "locked"


REQUEST_MOVES: Final[Mapping[RequestState, frozenset[RequestState]]] = {
    RequestState.OPEN: frozenset({RequestState.AUTHENTICATED, RequestState.DENIED, RequestState.LOCKED}),
    RequestState.AUTHENTICATED: frozenset({RequestState.CONSENTED, RequestState.DENIED}),
}
"""One way only: what was answered once is never answered again."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What 개별인증-001 asked for. `request_id` is random and used once; times in whole seconds since the epoch.

    `ci` is the `x-user-ci` of the call: whoever logs in must be that customer. `failures` counts wrong logins.
    """

    request_id: str
    provider: str
    operator: str
    client_id: str
    redirect_uri: str
    app_scheme: str
    oauth_state: str
    api_tran_id: str
    asked_at: int
    expires_at: int
    ci: str = field(repr=False)
    state: RequestState = RequestState.OPEN
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """인가코드 as the ledger knows it: the SHA-256 of it, and until when it may be spent (at most 10 minutes)."""

    digest: bytes = field(repr=False)
    expires_at: int
