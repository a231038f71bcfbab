"""The connection pool of one upstream: limits, queue and requests (RFC 9112 9.3)."""

import asyncio
import time
from collections import deque
from typing import Final

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ports import RequestWriter, ResponseReceiver
from relay.infra.diagnostics.causes import classify_error
from relay.infra.upstream.dialing import Dialer, NotConnected
from relay.policy.quota.operator_shares import OperatorShares
from relay.wire.client import ClientConnection
from relay.wire.deadline_watch import DeadlineWatch
from relay.wire.head import ResponseHead
from relay.wire.response_handler import ResponseFailure

_MOST_AGE_S: Final = 300.0  # a connection is not used longer, so that changed DNS records take effect
_RETRY_S: Final = 1.0  # the Retry-After of an operator beyond its share
_TRAN_ID: Final = b"x-api-tran-id"  # shows to which call a response belongs


class PoolRequest:
    """One request and its response. It ends exactly once and leaves no state."""

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
        self,
        pool: "ConnectionPool",
        write_request: RequestWriter,
        receiver: ResponseReceiver,
        now: float,
        operator: str,
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

    # the gateway

    def pause(self) -> None:
        """Stop reading the response."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Continue reading the response."""
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """Discard the response and free the upstream at once."""
        if self._receiver is not None:
            self._receiver = None
            self._release()

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""
        return self.connection is not None and self.connection.uses > 1

    # the pool

    def send_on(self, connection: ClientConnection) -> None:
        """Send the request over this connection."""
        self.attempts += 1
        self.connection = connection
        connection.send(self.write_request(connection.instance), self)

    def fail(self, fault: Fault, detail: str) -> None:
        """End without a response; `detail` names the cause in one word."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._release()
            receiver.request_failed(fault, detail)

    def handle_timeout(self, now: float) -> None:
        """End a request whose first or last byte did not come in time."""
        if self.first_byte_at and now < self.total_deadline:
            self.deadline = self.total_deadline
            return
        has_begun, is_dialing = self.first_byte_at, self.dial_task is not None
        phase = "total" if has_begun else "connect" if is_dialing else "first_byte" if self.has_slot else "queue"
        self.fail(FAULTS["provider_silent"], phase)

    def _release(self) -> None:
        """Leave the pool and abort dial and connection: a partly read response makes the connection useless."""
        connection, self.connection = self.connection, None
        if self.dial_task is not None:
            self.dial_task.cancel()
            self.dial_task = None
        if connection is not None:
            connection.abort()
        self._pool.release(self)

    # the connection

    def first_byte_received(self) -> None:
        """Store the time of the first byte. From now on only the total time is limited."""
        self.first_byte_at = time.monotonic()
        self.deadline = self.total_deadline

    def response_received(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """Pass on a whole response, then free the connection, or close it if the receiver refuses the response."""
        receiver, self._receiver = self._receiver, None
        connection = self.connection
        self.first_byte_at = self.first_byte_at or time.monotonic()  # the loop's own clock is too coarse
        is_accepted = False
        try:
            is_accepted = receiver is None or receiver.response_received(status, headers, body)
        finally:
            if connection is not None and not is_accepted:
                connection.abort()  # an upstream that confuses responses may confuse the next one too
            elif _TRAN_ID not in headers:
                self._pool.stop_reuse(connection)
            self._pool.finish(self)

    def head_received(self, head: ResponseHead, body: bytes) -> None:
        """Pass on the head of a large response."""
        connection = self.connection
        if self._receiver is not None:
            self._receiver.head_received(head.status, head.headers, head.length, body)
        if self._receiver is not None and _TRAN_ID not in head.headers:
            self._pool.stop_reuse(connection)

    def body_received(self, body: bytes) -> None:
        """Pass on a part of the body."""
        if self._receiver is not None:
            self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Pass on the end."""
        receiver, self._receiver = self._receiver, None
        self.first_byte_at = self.first_byte_at or time.monotonic()
        try:
            if receiver is not None:
                receiver.response_ended()
        finally:
            self._pool.finish(self)

    def request_failed(self, failure: ResponseFailure) -> None:
        """Send the request again if the upstream closed a reused connection before the first byte; else fail.

        Only then is it certain that the response had not begun (RFC 9112 9.3.1). The forwarded APIs only read (규격
        6장), so this holds for GET and POST alike.
        """
        is_stale, connection, self.connection = self.is_reused, self.connection, None
        if failure is ResponseFailure.CLOSED and is_stale and self.attempts == 1 and self._pool.may_retry:
            self._pool.dial(self)
        elif failure is ResponseFailure.MALFORMED:
            self.fail(FAULTS["provider_broken"], connection.flaw if connection is not None else "")
        else:
            error = connection.error if connection is not None else None
            self.fail(
                FAULTS["provider_reset"], f"{failure}_{classify_error(error)}" if error is not None else failure.value
            )


class ConnectionPool:
    """The connections to one upstream with one TLS identity.

    At most `concurrency` requests run at once and `queue` wait; more are refused, so that one slow institution never
    holds what others need. No operator takes all of either. `may_retry`: a request may be sent a second time if the
    first connection was dead; False where calls change something. `requires_tran_id`: responses need x-api-tran-id;
    after one without it, each request has its own connection.
    """

    def __init__(
        self, dialer: Dialer, concurrency: int, queue: int, watch: DeadlineWatch, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.timeouts = dialer.timeouts
        self._idle_s = dialer.timeouts.idle_s
        self._dialer = dialer
        self._slots = OperatorShares(concurrency)
        self._queue_slots = OperatorShares(queue)
        self._watch = watch
        self._idle: list[list[ClientConnection]] = [[] for _ in range(dialer.instance_count)]
        self._next_instance = 0
        self._waiting: deque[PoolRequest] = deque()
        self._ending: list[tuple[ClientConnection | None, str]] = []
        self._reuses = True
        self._connections: set[ClientConnection] = set()
        self._is_retired = False
        self.may_retry = True
        self.requires_tran_id = True

    def counts(self) -> dict[str, int]:
        """Return the number of idle connections, of requests with a slot ("flying") and of waiting requests."""
        return {"idle": sum(map(len, self._idle)), "flying": self._slots.taken, "waiting": len(self._waiting)}

    def send(self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str = "") -> PoolRequest:
        """Send a request, now or when a slot is free.

        Raises Refusal provider_busy (50005) if slots and queue are full, operator_share (42901) if the operator has its
        share of both.
        """
        now = self.loop.time()
        request = PoolRequest(self, write_request, receiver, now, operator)
        if self._slots.take(operator):
            self._start(request, now)
        elif self._queue_slots.take(operator, len(self._ending)):
            self._waiting.append(request)
        elif self._queue_slots.is_full(len(self._ending)):
            raise Refusal(FAULTS["provider_busy"])
        else:
            raise Refusal(FAULTS["operator_share"], retry_after=_RETRY_S)
        self._watch.add(request)
        return request

    def _start(self, request: PoolRequest, now: float) -> None:
        """Send a request that has a slot to the next instance, over the connection used last or a new one.

        A connection with unread bytes has an unsolicited response or is being closed: it carries no request.
        """
        request.has_slot = True
        self._next_instance = instance = (self._next_instance + 1) % len(self._idle)
        idle = self._idle[instance]
        while idle:
            connection = idle.pop()
            if connection.reusable and now < connection.idle_until and not connection.readable(0):
                request.attempts += 1  # PERF: request.send_on, inlined
                request.connection = connection
                connection.send(request.write_request(instance), request)
                return
            connection.close()
        self.dial(request)

    def dial(self, request: PoolRequest) -> None:
        """Open a new connection for a request, to the current instance or the next that accepts one."""
        request.dial_task = self.loop.create_task(self._connect(request, self._next_instance))

    async def _connect(self, request: PoolRequest, first: int) -> None:
        try:
            connection = await self._dialer.dial(self._connection_lost, first)
        except NotConnected as error:
            request.dial_task = None
            request.attempts += 1
            request.fail(FAULTS["provider_refused"], str(error))
            return
        request.dial_task = None
        self._connections.add(connection)
        request.send_on(connection)

    def stop_reuse(self, connection: ClientConnection | None) -> None:
        """Reuse no connection any more: an accepted response had no x-api-tran-id.

        The next response on the same connection could belong to any call.
        """
        if self.requires_tran_id:
            self._reuses = False
            self._close_idle()
            if connection is not None:
                connection.reusable = False

    def finish(self, request: PoolRequest) -> None:
        """Release a request whose response was read. Its connection is free in the next turn of the loop."""
        connection, request.connection = request.connection, None
        self.release(request, connection)

    def release(self, request: PoolRequest, connection: ClientConnection | None = None) -> None:
        """Release an ended request. Its slot is free in the next turn of the loop.

        By then all bytes that came with the response are read; surplus bytes have closed the connection.
        """
        self._watch.discard(request)
        if request.has_slot:
            request.has_slot = False
            self._ending.append((connection, request.operator))
            if len(self._ending) == 1:
                self.loop.call_soon(self._free_slots)
        else:
            self._leave_queue(request)

    def _leave_queue(self, request: PoolRequest) -> None:
        self._waiting.remove(request)
        self._queue_slots.release(request.operator)

    def _free_slots(self) -> None:
        """Free the slots of ended requests, keep or close their connections, and start waiting requests."""
        now = self.loop.time()
        ended, self._ending = self._ending, []
        for connection, operator in ended:
            self._slots.release(operator)
            if connection is None:
                continue
            is_old = now - connection.opened_at > _MOST_AGE_S
            if self._is_retired or is_old or not self._reuses or not connection.reusable:
                connection.close()
            else:
                has_limit = connection.keep_alive is not None
                connection.idle_until = now + (self._dialer.idle_limit(connection) if has_limit else self._idle_s)
                self._idle[connection.instance].append(connection)
        if self._waiting:
            self._start_next(now)

    def _start_next(self, now: float) -> None:
        """Start waiting requests: first those of the operator with the fewest slots, none beyond its share."""
        shares = self._slots
        while ready := [request for request in self._waiting if shares.fits(request.operator)]:
            request = min(ready, key=lambda request: shares.taken_by(request.operator))
            self._leave_queue(request)
            shares.take(request.operator)
            self._start(request, now)

    def close_expired(self, now: float) -> None:
        """Close connections that were idle too long."""
        for idle in self._idle:
            for connection in [each for each in idle if now >= each.idle_until or not each.reusable]:
                idle.remove(connection)
                connection.close()

    def retire(self) -> None:
        """Keep no connection any more. Requests in flight are completed."""
        self._is_retired = True
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle:
            for connection in idle:
                connection.close()
            idle.clear()

    def _connection_lost(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if connection in self._idle[connection.instance]:
            self._idle[connection.instance].remove(connection)
