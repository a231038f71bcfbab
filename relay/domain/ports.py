"""Protocols that infra implements for the planes, so that no plane imports infra."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from relay.domain.authorization.grant import Grant
from relay.domain.authorization.token import Claims
from relay.domain.exchange import Exchange
from relay.domain.fault import Fault
from relay.domain.quota import CallKey, Transfer

RequestWriter = Callable[[int], bytes]
"""Writes a request for one instance of an institution, given the index of its base URL: path and Host depend on it."""


class TokenVerifier(Protocol):
    """Verifies access tokens."""

    def verify(self, authorization: bytes, now: float) -> Claims:
        """Returns the claims of the token in an Authorization value, at epoch time `now`.

        Raises Refusal (40101) for an invalid token, and TokenExpired for one that was valid once. Raises NotVerified if
        the token must be verified in a later turn of the event loop: see `wait_turn`.
        """

    async def wait_turn(self, operator: str) -> None:
        """Waits until a token of `operator` may be verified that had raised NotVerified. Operators take turns."""


class Grants(Protocol):
    """Holds the consents behind access tokens."""

    def get(self, jti: str, now: float) -> Grant:
        """Returns the grant of an access token, at monotonic `now`.

        Raises Refusal: token_unknown, token_revoked (40101), ledger_unreachable (50001). Raises NotCached if the grant
        must be fetched first.
        """

    def refresh_soon(self) -> None:
        """Queries the ledger before the next regular time: it may have changed just now."""

    def revoke(self, jtis: Iterable[str]) -> None:
        """Refuses these access tokens from now on: the authority has just revoked them."""

    async def fetch(self, jti: str) -> None:
        """Queries the ledger. Afterwards the grant, or the failure of the ledger, is known. Never raises."""


class QuotaCounters(Protocol):
    """Counts requests against quotas."""

    def take(self, call: CallKey, now: float) -> None:
        """Counts one request at monotonic `now`. A refused request counts nowhere.

        Raises Refusal (42901, `retry_after`), and NotLeased if the call must `wait` and be judged again.
        """

    def give_back(self, call: CallKey) -> None:
        """Takes back the request that was counted just before, in the same turn of the event loop: it was not sent."""

    async def wait(self) -> None:
        """Waits until more requests are leased, or the reason why not is known. Never raises."""


class ScheduledTransfers(Protocol):
    """Knows which scheduled transfers were made this week (정기적 전송, 규격 3.3.1)."""

    def begin(self, description: bytes, now: float, *, is_continuation: bool) -> Transfer:
        """Returns the transfer that a call at epoch time `now` is part of; `description` names it.

        Raises Refusal (42901, `retry_after`) if it was made this week.
        """

    def complete(self, transfer: Transfer, find_unsent: Callable[[], int | None], *, is_last: bool) -> None:
        """Notes a success, of the last page or another one, once the response is sent.

        `find_unsent` returns the bytes that are not sent yet, None if the connection was lost: then nothing is noted.
        """


class Recorder(Protocol):
    """Records exchanges in metrics and the access log. Never awaited, never raises."""

    def record(self, exchange: Exchange) -> None:
        """Records a closed exchange."""


class ResponseReceiver(Protocol):
    """Receives the response to one upstream request.

    The upstream calls `response_received`, or `head_received`, `body_received` and `response_ended` in that order. If
    the response is missing or incomplete, it calls `request_failed` last.
    """

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Processes a whole response: headers by lower-case name, the body with its content coding.

        Returns False if it is not a valid response; its connection is then closed.
        """

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Processes the head of a large response and the beginning of its body; `length` is None if unknown."""

    def body_received(self, body: bytes) -> None:
        """Processes the next part of the body."""

    def response_ended(self) -> None:
        """The body is complete."""

    def request_failed(self, fault: Fault, detail: str) -> None:
        """Handles a missing or incomplete response; `detail` names the cause in one word, for the record."""


class UpstreamRequest(Protocol):
    """A request that was sent to an upstream, until its response has ended."""

    @property
    def attempts(self) -> int:
        """The number of times the request was sent."""

    @property
    def first_byte_at(self) -> float:
        """The time of the response's first byte (monotonic). 0 before, and for a response that came in one piece."""

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""

    def pause(self) -> None:
        """Stops reading the response: its reader does not keep up."""

    def resume(self) -> None:
        """Continues reading the response."""

    def cancel(self) -> None:
        """Discards the response and frees the upstream at once."""


class Upstream(Protocol):
    """One institution."""

    def send(
        self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str, is_scheduled: bool = False
    ) -> UpstreamRequest:
        """Sends a request, now or when a permit is free; calls on demand before scheduled transfers.

        Raises Refusal: breaker_open, provider_busy if permits and queue are used up, operator_share if the operator
        has its share.
        """


class AuthorityUpstream(Protocol):
    """The authority."""

    def send(
        self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str, kind: str
    ) -> UpstreamRequest:
        """Sends a request, now or when a permit is free. Operators and kinds of calls share the permits fairly.

        Raises Refusal provider_busy.
        """
