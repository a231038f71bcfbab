"""Protocols that infra implements for the planes, so that no plane imports infra."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from relay.domain.authorization.grant import Grant
from relay.domain.authorization.token import Claims
from relay.domain.exchange import Exchange
from relay.domain.fault import Fault

RequestWriter = Callable[[int], bytes]
"""Writes a request for one instance of an institution, given the index of its base URL: path and Host depend on it."""


class TokenVerifier(Protocol):
    """Verifies access tokens."""

    def verify(self, authorization: bytes, now: float) -> Claims:
        """Return the claims of the token in an Authorization value, at epoch time `now`.

        Raises Refusal (40101) for an invalid token, and TokenExpired for one that was valid once.
        """


class Grants(Protocol):
    """Holds the consents behind access tokens."""

    def get(self, jti: str, now: float) -> Grant:
        """Return the grant of an access token, at monotonic `now`.

        Raises Refusal: token_unknown, token_revoked (40101), ledger_unreachable (50001). Raises NotCached if the grant
        must be fetched first.
        """

    def refresh_soon(self) -> None:
        """Query the ledger before the next regular time: it may have changed just now."""

    def revoke(self, jtis: Iterable[str]) -> None:
        """Refuse these access tokens from now on: the authority has just revoked them."""

    async def fetch(self, jti: str) -> None:
        """Query the ledger. Afterwards the grant, or the failure of the ledger, is known. Never raises."""


class QuotaCounters(Protocol):
    """Counts requests against quotas."""

    def take(self, operator: str, provider: str, now: float) -> None:
        """Count one request of `operator` to `provider` at monotonic `now`. Raises Refusal (42901, `retry_after`)."""


class Recorder(Protocol):
    """Records exchanges in metrics and the access log. Never awaited, never raises."""

    def record(self, exchange: Exchange) -> None:
        """Record a closed exchange."""


class ResponseReceiver(Protocol):
    """Receives the response to one upstream request.

    The upstream calls `response_received`, or `head_received`, `body_received` and `response_ended` in that order. If
    the response is missing or incomplete, it calls `request_failed` last.
    """

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Process a whole response: headers by lower-case name, the body with its content coding.

        Returns False if it is not a valid response; its connection is then closed.
        """

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Process the head of a large response and the beginning of its body; `length` is None if unknown."""

    def body_received(self, body: bytes) -> None:
        """Process the next part of the body."""

    def response_ended(self) -> None:
        """The body is complete."""

    def request_failed(self, fault: Fault, detail: str) -> None:
        """Handle a missing or incomplete response; `detail` names the cause in one word, for the record."""


class UpstreamRequest(Protocol):
    """A request that was sent to an upstream, until its response has ended."""

    @property
    def attempts(self) -> int:
        """The number of times the request was sent."""

    @property
    def first_byte_at(self) -> float:
        """The time of the response's first byte (monotonic), 0 before."""

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""

    def pause(self) -> None:
        """Stop reading the response: its reader does not keep up."""

    def resume(self) -> None:
        """Continue reading the response."""

    def cancel(self) -> None:
        """Discard the response and free the upstream at once."""


class Upstream(Protocol):
    """One institution."""

    def send(self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str) -> UpstreamRequest:
        """Send a request, now or when a slot is free.

        Raises Refusal: provider_busy if slots and queue are full, operator_share if the operator has its share of both.
        """


class AuthorityUpstream(Protocol):
    """The authority."""

    def send(
        self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str, kind: str
    ) -> UpstreamRequest:
        """Send a request, now or when a slot is free. Operators and kinds of calls share the slots fairly.

        Raises Refusal provider_busy.
        """
