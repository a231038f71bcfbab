"""What the planes need from outside: the shapes of infra's objects, so that no plane knows infra."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from relay.domain.authorization.grant import Grant
from relay.domain.authorization.token import Claims
from relay.domain.exchange import Exchange
from relay.domain.fault import Fault

RequestWriter = Callable[[int], bytes]
"""Writes a request for one of a provider's places (its `base_urls`, by their index): each has its own path and Host."""


class Keyring(Protocol):
    """Who knows which access tokens are good."""

    def claims(self, authorization: bytes, now: float) -> Claims:
        """Claims of the token in an Authorization value, at epoch time `now`.

        Raises Refusal (40101) for everything that is no good token; Expired for one that was good once.
        """


class Grants(Protocol):
    """Who knows the consents behind access tokens."""

    def of(self, jti: str, now: float) -> Grant:
        """The grant of an access token, at monotonic `now`.

        Raises Refusal: token_unknown, token_revoked (40101), ledger_unreachable (50001); NotYet when it has to be
        fetched first.
        """

    def hurry(self) -> None:
        """The ledger may have changed just now: hear of it before the usual time."""

    def revoke(self, jtis: Iterable[str]) -> None:
        """Refuse these access tokens from now on: the authority has just revoked them."""

    async def fetch(self, jti: str) -> None:
        """Ask the ledger. Afterwards `of` knows, and be it that the ledger cannot be reached. Never raises."""


class QuotaCounters(Protocol):
    """Who counts how much was taken."""

    def take(self, operator: str, provider: str, now: float) -> None:
        """Take one request of `operator` at `provider` at monotonic `now`. Raises Refusal (42901, `retry_after`)."""


class Recorder(Protocol):
    """Who remembers exchanges: metrics, access records. Never awaited, never raises."""

    def record(self, exchange: Exchange) -> None:
        """Take a closed exchange."""


class ResponseReceiver(Protocol):
    """Who takes a provider's answer: `answered` whole, or `begun`, `more`, `ended`; or `failed`. Once, in order."""

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Take a whole answer: status, headers by lower-case name, body as it came (its coding untouched).

        False when it cannot be one; then the connection it came over is not trusted any more.
        """

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """The head of a large answer with what has come of its body; `length` None when it is not known."""

    def body_received(self, body: bytes) -> None:
        """A further part of the body."""

    def response_ended(self) -> None:
        """The body is complete."""

    def request_failed(self, fault: Fault, detail: str) -> None:
        """There is no answer, or no end of it; `detail` says why in a word, for the record."""


class UpstreamRequest(Protocol):
    """A request on its way to a provider and its answer on its way back."""

    @property
    def attempts(self) -> int:
        """How often the request was sent."""

    @property
    def first_byte_at(self) -> float:
        """When the answer began (monotonic), 0 before."""

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""

    def pause(self) -> None:
        """Stop reading the answer: its reader does not keep up."""

    def resume(self) -> None:
        """Go on reading."""

    def cancel(self) -> None:
        """Nobody wants the answer: free the provider at once."""


class Upstream(Protocol):
    """One provider as the gateway sees it."""

    def send(self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str) -> UpstreamRequest:
        """Send what `request` writes. Raises Refusal (provider_busy) when the provider has enough to do.

        Raises operator_share when this operator has its share of what the provider can do.
        """


class AuthorityUpstream(Protocol):
    """The authority as the gateway sees it."""

    def send(
        self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str, kind: str
    ) -> UpstreamRequest:
        """Send what `request` writes in the operator's turn. Raises Refusal provider_busy.

        `kind` is the kind of call; operators and kinds share what the authority can do at once.
        """
