"""Sends calls to the authority. Permits are shared fairly and held until the authority has ended the call."""

from collections.abc import Mapping

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ports import RequestWriter, ResponseReceiver, UpstreamRequest
from relay.domain.queue_full import QueueFull
from relay.infra.authority.fair_permits import FairPermits, Share
from relay.infra.upstream.pool import ConnectionPool
from relay.wire.deadline_watch import DeadlineWatch


class AuthorityRequest:
    """One call that waits for its permit or was sent. It receives the response of the pool's request.

    If the caller disconnects, a waiting call is withdrawn. A sent one keeps its permit until its response has ended:
    the authority works on it and completes what it has begun.
    """

    __slots__ = ("_receiver", "_sent", "_upstream", "deadline", "share", "write_request")

    def __init__(
        self,
        upstream: "AuthorityPool",
        write_request: RequestWriter,
        receiver: ResponseReceiver,
        share: Share,
        deadline: float,
    ) -> None:
        self._upstream = upstream
        self._receiver: ResponseReceiver | None = receiver
        self._sent: UpstreamRequest | None = None
        self.write_request = write_request
        self.share = share
        self.deadline = deadline

    @property
    def attempts(self) -> int:
        """The number of times the request was sent."""
        return self._sent.attempts if self._sent is not None else 0

    @property
    def first_byte_at(self) -> float:
        """The time of the response's first byte (monotonic). 0 before, and for a response that came in one piece."""
        return self._sent.first_byte_at if self._sent is not None else 0.0

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""
        return self._sent is not None and self._sent.is_reused

    # the gateway

    def pause(self) -> None:
        """Stops reading the response."""
        if self._sent is not None:
            self._sent.pause()

    def resume(self) -> None:
        """Continues reading the response."""
        if self._sent is not None:
            self._sent.resume()

    def cancel(self) -> None:
        """Withdraws a waiting call; discards the response of a sent one."""
        self._receiver = None
        if self._sent is None:
            self._upstream.withdraw(self)
        else:
            self._sent.resume()

    def handle_timeout(self, _now: float) -> None:
        """Reports to the caller that the authority is silent."""
        receiver = self._receiver
        self.cancel()
        self._upstream.forget(self)
        if receiver is not None:
            receiver.request_failed(FAULTS["provider_silent"], "timeout")

    # the pool

    def start(self, pool: ConnectionPool) -> None:
        """Sends the request."""
        self._sent = pool.send(self.write_request, self)

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Passes on a whole response."""
        self._upstream.end(self)
        return self._receiver is None or self._receiver.response_received(status, headers, body)

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Passes on the head of a large response."""
        if self._receiver is not None:
            self._receiver.head_received(status, headers, length, body)

    def body_received(self, body: bytes) -> None:
        """Passes on a part of the body."""
        if self._receiver is not None:
            self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Passes on the end."""
        self._upstream.end(self)
        if self._receiver is not None:
            self._receiver.response_ended()

    def request_failed(self, fault: Fault, detail: str) -> None:
        """Passes on the failure."""
        self._upstream.end(self)
        if self._receiver is not None:
            self._receiver.request_failed(fault, detail)


class AuthorityPool:
    """Sends calls to the authority, `concurrency` at once with `queue` waiting, shared by `FairPermits`.

    `pool` runs at least `concurrency` requests. A call, waiting included, may take the total time of a request.
    """

    def __init__(self, pool: ConnectionPool, concurrency: int, queue: int, watch: DeadlineWatch) -> None:
        self._pool = pool
        self._permits: FairPermits[AuthorityRequest] = FairPermits(concurrency, queue)
        self._watch = watch

    def counts(self) -> dict[str, int]:
        """Returns the number of idle connections, of sent calls ("flying") and of waiting calls."""
        return {"idle": self._pool.counts()["idle"], "flying": self._permits.taken, "waiting": self._permits.queued}

    def send(
        self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str, kind: str
    ) -> AuthorityRequest:
        """Sends a request, now or when a permit is free. Raises Refusal provider_busy."""
        deadline = self._pool.loop.time() + self._pool.total_s
        call = AuthorityRequest(self, write_request, receiver, Share(operator, kind), deadline)
        try:
            has_permit = self._permits.take(call.share, call)
        except QueueFull:
            raise Refusal(FAULTS["provider_busy"]) from None
        self._watch.add(call)
        if has_permit:
            call.start(self._pool)
        return call

    def retire(self) -> None:
        """Keeps no connection any more. Calls in flight are completed."""
        self._pool.retire()

    def end(self, call: AuthorityRequest) -> None:
        """Frees the permit of an ended call and starts the next ones."""
        self.forget(call)
        for next_call in self._permits.release(call.share):
            next_call.start(self._pool)

    def withdraw(self, call: AuthorityRequest) -> None:
        """Removes a waiting call."""
        self.forget(call)
        self._permits.withdraw(call.share, call)

    def forget(self, call: AuthorityRequest) -> None:
        """Drops the deadline of a call."""
        self._watch.discard(call)
