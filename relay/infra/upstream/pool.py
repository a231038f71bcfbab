"""One provider's connections: a pool, a bulkhead, and flights that always end (RFC 9112 9.3)."""

import asyncio
import time
from collections import deque
from typing import Final

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ports import RequestWriter, ResponseReceiver
from relay.infra.diagnostics.causes import cause_of
from relay.infra.upstream.dialing import Dialer, NotConnected
from relay.policy.quota.operator_shares import OperatorShares
from relay.wire.asker import ResponseFailure
from relay.wire.client import ClientConnection
from relay.wire.head import ResponseHead
from relay.wire.watch import Watch

_MOST_AGE_S: Final = 300.0
"""A connection is not used longer, so that a provider that moves (DNS) is followed."""

_RETRY_S: Final = 1.0
"""What an operator beyond its share is told to wait."""

_TRAN_ID: Final = b"x-api-tran-id"
"""The field by which an answer names its call."""


class PoolRequest:
    """One request on its way, and its answer on its way back. Ends exactly once; nothing of it stays behind."""

    __slots__ = (
        "_pool",
        "_receiver",
        "attempts",
        "connection",
        "deadline",
        "dial_task",
        "first_byte_at",
        "has_slot",
        "operator",
        "total_deadline",
        "write_request",
    )

    def __init__(
        self, pool: "Pool", write_request: RequestWriter, receiver: ResponseReceiver, now: float, operator: str
    ) -> None:
        self._pool = pool
        self.operator = operator
        self.write_request = write_request
        self._receiver: ResponseReceiver | None = receiver
        self.attempts = 0
        self.connection: ClientConnection | None = None
        self.dial_task: asyncio.Task[None] | None = None
        self.first_byte_at = 0.0
        self.has_slot = False
        self.deadline = now + pool.timeouts.first_byte_s
        self.total_deadline = now + pool.timeouts.total_s

    # what the gateway may do

    def pause(self) -> None:
        """Stop reading the answer."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Go on reading the answer."""
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """Nobody wants the answer: free the provider at once."""
        if self._receiver is not None:
            self._receiver = None
            self._drop()

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""
        return self.connection is not None and self.connection.uses > 1

    # what the pool does

    def send_on(self, connection: ClientConnection) -> None:
        """Send the request over this connection."""
        self.attempts += 1
        self.connection = connection
        connection.send(self.write_request(connection.place), self)

    def fail(self, fault: Fault, detail: str) -> None:
        """End without an answer; `detail` says why in one word."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._drop()
            receiver.request_failed(fault, detail)

    def overdue(self, now: float) -> None:
        """End what takes too long: no first byte in time, or not the last."""
        if self.first_byte_at and now < self.total_deadline:
            self.deadline = self.total_deadline
            return
        began, dials = self.first_byte_at, self.dial_task is not None
        missed = "total" if began else "connect" if dials else "first_byte" if self.has_slot else "queue"
        self.fail(FAULTS["provider_silent"], missed)

    def _drop(self) -> None:
        """Leave pool, dial and connection; an answer half read makes its connection worthless."""
        connection, self.connection = self.connection, None
        if self.dial_task is not None:
            self.dial_task.cancel()
            self.dial_task = None
        if connection is not None:
            connection.abort()
        self._pool.release(self)

    # what the connection tells

    def first_byte_received(self) -> None:
        """Note when the answer began; from here on only the total counts."""
        self.first_byte_at = time.monotonic()
        self.deadline = self.total_deadline

    def response_received(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """Pass a whole answer on, then free the connection, if the answer can be trusted to be this call's."""
        receiver, self._receiver = self._receiver, None
        connection = self.connection
        self.first_byte_at = self.first_byte_at or time.monotonic()  # the loop's own clock is too coarse to tell
        is_taken = False
        try:
            is_taken = receiver is None or receiver.response_received(status, headers, body)
        finally:
            if connection is not None and not is_taken:
                connection.abort()  # who mixes answers up may mix up the next one too
            elif _TRAN_ID not in headers:
                self._pool.stop_reuse(connection)
            self._pool.finish(self)

    def head_received(self, head: ResponseHead, body: bytes) -> None:
        """Pass the begin of a large answer on."""
        connection = self.connection
        if self._receiver is not None:
            self._receiver.head_received(head.status, head.headers, head.length, body)
        if self._receiver is not None and _TRAN_ID not in head.headers:
            self._pool.stop_reuse(connection)

    def body_received(self, body: bytes) -> None:
        """Pass a part on."""
        if self._receiver is not None:
            self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Pass the end on."""
        receiver, self._receiver = self._receiver, None
        self.first_byte_at = self.first_byte_at or time.monotonic()
        try:
            if receiver is not None:
                receiver.response_ended()
        finally:
            self._pool.finish(self)

    def request_failed(self, how: ResponseFailure) -> None:
        """Try once more when the provider closed an idle connection under us; else end.

        Only then is it sure that nobody began to answer: reused, and not one byte came (RFC 9112 9.3.1). The APIs that
        are carried only read (규격 6장), so GET and POST are alike.
        """
        is_stale, connection, self.connection = self.is_reused, self.connection, None
        if how is ResponseFailure.CLOSED and is_stale and self.attempts == 1 and self._pool.asks_again:
            self._pool.dial_for(self)
        elif how is ResponseFailure.MALFORMED:
            self.fail(FAULTS["provider_broken"], connection.flaw if connection is not None else "")
        else:
            error = connection.error if connection is not None else None
            self.fail(FAULTS["provider_reset"], f"{how}_{cause_of(error)}" if error is not None else how.value)


class Pool:
    """The connections to one provider under one TLS identity.

    At most `concurrency` flights at once, at most `queue` waiting behind them; more are refused, so that one slow
    institution never holds what others need. No operator takes all of either. `asks_again` says whether a call may be
    sent twice when the first line was dead: not where a call changes something. `needs_names` says whether answers have
    to name their call (`x-api-tran-id`): once one that was taken did not, each further call gets a connection of its
    own.
    """

    def __init__(
        self, dialer: Dialer, concurrency: int, queue: int, watch: Watch, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.timeouts = dialer.timeouts
        self._idle_s = dialer.timeouts.idle_s
        self._dialer = dialer
        self._under_way = OperatorShares(concurrency)
        self._queued = OperatorShares(queue)
        self._watch = watch
        self._idle: list[list[ClientConnection]] = [[] for _ in range(dialer.places)]
        self._turn = 0
        self._waiting: deque[PoolRequest] = deque()
        self._ended: list[tuple[ClientConnection | None, str]] = []
        self._reuses = True
        self._connections: set[ClientConnection] = set()
        self._closed = False
        self.asks_again = True
        self.needs_names = True

    def counts(self) -> dict[str, int]:
        """How many are idle, flying and waiting."""
        return {"idle": sum(map(len, self._idle)), "flying": self._under_way.taken, "waiting": len(self._waiting)}

    def send(self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str = "") -> PoolRequest:
        """Send what `request` writes.

        Raises Refusal provider_busy (50005) when flights and queue are full, operator_share (42901) when the
        operator has its share of both.
        """
        now = self.loop.time()
        request = PoolRequest(self, write_request, receiver, now, operator)
        if self._under_way.take(operator):
            self._start(request, now)
        elif self._queued.take(operator, len(self._ended)):
            self._waiting.append(request)
        elif self._queued.is_full(len(self._ended)):
            raise Refusal(FAULTS["provider_busy"])
        else:
            raise Refusal(FAULTS["operator_share"], retry_after=_RETRY_S)
        self._watch.add(request)
        return request

    def _start(self, request: PoolRequest, now: float) -> None:
        """Let a request that has its slot go, to each place in turn: over the line used last, or a fresh one.

        A line on which something waits to be read was spoken on unasked, or is being closed: it takes no request.
        """
        request.has_slot = True
        self._turn = turn = (self._turn + 1) % len(self._idle)
        idle = self._idle[turn]
        while idle:
            connection = idle.pop()
            if connection.reusable and now < connection.idle_until and not connection.readable(0):
                request.attempts += 1  # PERF: request.send_on written out
                request.connection = connection
                connection.send(request.write_request(turn), request)
                return
            connection.close()
        self.dial_for(request)

    def dial_for(self, request: PoolRequest) -> None:
        """Open a fresh connection for a request, to the place whose turn it is or the next that takes one."""
        request.dial_task = self.loop.create_task(self._dial(request, self._turn))

    async def _dial(self, request: PoolRequest, first: int) -> None:
        try:
            connection = await self._dialer.dial(self._lost, first)
        except NotConnected as error:
            request.dial_task = None
            request.attempts += 1
            request.fail(FAULTS["provider_refused"], str(error))
            return
        request.dial_task = None
        self._connections.add(connection)
        request.send_on(connection)

    def stop_reuse(self, connection: ClientConnection | None) -> None:
        """Use no connection for a second call any more: an answer that was taken did not name its call.

        The next one on the same connection could be any call's.
        """
        if self.needs_names:
            self._reuses = False
            self._close_idle()
            if connection is not None:
                connection.reusable = False

    def finish(self, request: PoolRequest) -> None:
        """Forget a request whose answer has been read. Its connection is free in the next turn of the loop."""
        connection, request.connection = request.connection, None
        self.release(request, connection)

    def release(self, request: PoolRequest, connection: ClientConnection | None = None) -> None:
        """Forget an ended request. Its slot is free in the next turn of the loop.

        By then all has been read that came together with the answer; what was no part of it has cost the connection.
        """
        self._watch.discard(request)
        if request.has_slot:
            request.has_slot = False
            self._ended.append((connection, request.operator))
            if len(self._ended) == 1:
                self.loop.call_soon(self._free)
        else:
            self._leave_queue(request)

    def _leave_queue(self, request: PoolRequest) -> None:
        self._waiting.remove(request)
        self._queued.release(request.operator)

    def _free(self) -> None:
        """Keep the connections whose calls have ended, or close them, and start as many calls that wait."""
        now = self.loop.time()
        ended, self._ended = self._ended, []
        for connection, operator in ended:
            self._under_way.release(operator)
            if connection is None:
                continue
            is_old = now - connection.born > _MOST_AGE_S
            if self._closed or is_old or not self._reuses or not connection.reusable:
                connection.close()
            else:
                told = connection.keep_alive is not None
                connection.idle_until = now + (self._dialer.idle_limit(connection) if told else self._idle_s)
                self._idle[connection.place].append(connection)
        if self._waiting:
            self._start_next(now)

    def _start_next(self, now: float) -> None:
        """Start calls that wait: first those of the operator with the fewest under way, and none beyond its share."""
        shares = self._under_way
        while ready := [one for one in self._waiting if shares.fits(one.operator)]:
            request = min(ready, key=lambda one: shares.taken_by(one.operator))
            self._leave_queue(request)
            shares.take(request.operator)
            self._start(request, now)

    def sweep(self, now: float) -> None:
        """Close what has been idle too long."""
        for idle in self._idle:
            for connection in [one for one in idle if now >= one.idle_until or not one.reusable]:
                idle.remove(connection)
                connection.close()

    def retire(self) -> None:
        """Take no new connection back; flights end in peace."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle:
            for connection in idle:
                connection.close()
            idle.clear()

    def _lost(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if connection in self._idle[connection.place]:
            self._idle[connection.place].remove(connection)
