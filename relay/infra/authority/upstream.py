"""Calls to the authority: slots shared fairly, each held until the authority has ended the call."""

from collections.abc import Mapping

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ports import RequestWriter, ResponseReceiver, UpstreamRequest
from relay.infra.authority.fair_slots import FairSlots, QueueFull, Share
from relay.infra.upstream.pool import Pool
from relay.wire.watch import Watch


class AuthorityRequest:
    """One call, waiting for its slot or on its way. It is the receiver of the pool's flight.

    A caller that hangs up takes a waiting call along. One that is on its way keeps its slot until its answer has come:
    the authority works on it, and what it has begun stays whole.
    """

    __slots__ = ("_receiver", "_upstream", "_way", "deadline", "request", "share")

    def __init__(
        self,
        upstream: "AuthorityPool",
        request: RequestWriter,
        receiver: ResponseReceiver,
        share: Share,
        deadline: float,
    ) -> None:
        self._upstream = upstream
        self._receiver: ResponseReceiver | None = receiver
        self._way: UpstreamRequest | None = None
        self.request = request
        self.share = share
        self.deadline = deadline

    @property
    def attempts(self) -> int:
        """How often the request was sent."""
        return self._way.attempts if self._way is not None else 0

    @property
    def first_byte_at(self) -> float:
        """When the answer began (monotonic), 0 before."""
        return self._way.first_byte_at if self._way is not None else 0.0

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""
        return self._way is not None and self._way.is_reused

    # the gateway

    def pause(self) -> None:
        """Stop reading the answer."""
        if self._way is not None:
            self._way.pause()

    def resume(self) -> None:
        """Go on reading the answer."""
        if self._way is not None:
            self._way.resume()

    def cancel(self) -> None:
        """The caller has left."""
        self._receiver = None
        if self._way is None:
            self._upstream.withdraw(self)
        else:
            self._way.resume()

    def overdue(self, _now: float) -> None:
        """The caller is told that the authority is silent."""
        receiver = self._receiver
        self.cancel()
        self._upstream.forget(self)
        if receiver is not None:
            receiver.request_failed(FAULTS["provider_silent"], "timeout")

    # the pool

    def start(self, pool: Pool) -> None:
        """Send the request."""
        self._way = pool.send(self.request, self)

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Pass a whole answer on."""
        self._upstream.end(self)
        return self._receiver is None or self._receiver.response_received(status, headers, body)

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Pass the begin of a large answer on."""
        if self._receiver is not None:
            self._receiver.head_received(status, headers, length, body)

    def body_received(self, body: bytes) -> None:
        """Pass a part on."""
        if self._receiver is not None:
            self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Pass the end on."""
        self._upstream.end(self)
        if self._receiver is not None:
            self._receiver.response_ended()

    def request_failed(self, fault: Fault, detail: str) -> None:
        """Pass on that there is no answer."""
        self._upstream.end(self)
        if self._receiver is not None:
            self._receiver.request_failed(fault, detail)


class AuthorityPool:
    """The way to the authority. `concurrency` calls on their way, `queue` waiting, shared as `FairSlots` says.

    `pool` carries at least `concurrency` flights; a call may take as long as a flight of it in all.
    """

    def __init__(self, pool: Pool, concurrency: int, queue: int, watch: Watch) -> None:
        self._pool = pool
        self._slots: FairSlots[AuthorityRequest] = FairSlots(concurrency, queue)
        self._watch = watch

    def counts(self) -> dict[str, int]:
        """How many connections are idle, how many calls are on their way and waiting."""
        return {"idle": self._pool.counts()["idle"], "flying": self._slots.taken, "waiting": self._slots.queued}

    def send(self, request: RequestWriter, receiver: ResponseReceiver, operator: str, kind: str) -> AuthorityRequest:
        """Send what `request` writes, now or when a slot is free. Raises Refusal provider_busy."""
        deadline = self._pool.loop.time() + self._pool.timeouts.total_s
        call = AuthorityRequest(self, request, receiver, Share(operator, kind), deadline)
        try:
            now = self._slots.take(call.share, call)
        except QueueFull:
            raise Refusal(FAULTS["provider_busy"]) from None
        self._watch.add(call)
        if now:
            call.start(self._pool)
        return call

    def retire(self) -> None:
        """Take no connection back; calls end in peace."""
        self._pool.retire()

    def end(self, call: AuthorityRequest) -> None:
        """Free the slot of a call whose flight has ended."""
        self.forget(call)
        for following in self._slots.give_back(call.share):
            following.start(self._pool)

    def withdraw(self, call: AuthorityRequest) -> None:
        """Forget a call that waits."""
        self.forget(call)
        self._slots.withdraw(call.share, call)

    def forget(self, call: AuthorityRequest) -> None:
        """Watch the call's deadline no longer."""
        self._watch.discard(call)
