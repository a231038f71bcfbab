"""The connection pool of one upstream: limits, queue and requests (RFC 9112 9.3)."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
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
_FRESH_S: Final = 0.01  # a connection free for less is not checked for unread bytes; PERF: 0.6 us for a call
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
        "has_permit",
        "operator",
        "total_deadline",
        "write_request",
    )

    def __init__(
        self, pool: "ConnectionPool", write: RequestWriter, receiver: ResponseReceiver, now: float, operator: str
    ) -> None:
        self._pool = pool
        self.operator = operator
        self.write_request = write
        self._receiver: ResponseReceiver | None = receiver
        self.attempts = 0
        self.connection: ClientConnection | None = None
        self.dial_task: asyncio.Task[None] | None = None
        self.first_byte_at = 0.0
        self.has_permit = False
        self.deadline = now + pool.first_byte_s
        self.total_deadline = now + pool.total_s

    def pause(self) -> None:
        """Stops reading the response."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Continues reading the response."""
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """Discards the response and frees the upstream at once."""
        if self._receiver is not None:
            self._receiver = None
            self._release()

    @property
    def is_reused(self) -> bool:
        """Whether the connection has carried another call before this one."""
        return self.connection is not None and self.connection.uses > 1

    def send_on(self, connection: ClientConnection) -> None:
        """Sends the request over this connection."""
        self.attempts += 1
        self.connection = connection
        connection.send(self.write_request(connection.instance), self)

    def fail(self, fault: Fault, detail: str) -> None:
        """Ends without a response; `detail` names the cause in one word."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._release()
            receiver.request_failed(fault, detail)

    def handle_timeout(self, now: float) -> None:
        """Ends a request whose first or last byte did not come in time."""
        if self.first_byte_at and now < self.total_deadline:
            self.deadline = self.total_deadline
            return
        has_begun, is_dialing = self.first_byte_at, self.dial_task is not None
        phase = "total" if has_begun else "connect" if is_dialing else "first_byte" if self.has_permit else "queue"
        self.fail(FAULTS["provider_silent"], phase)

    def _release(self) -> None:
        """Leaves the pool and aborts dial and connection: a partly read response makes the connection useless."""
        connection, self.connection = self.connection, None
        if self.dial_task is not None:
            self.dial_task.cancel()
            self.dial_task = None
        if connection is not None:
            connection.abort()
        self._pool.release(self)

    def first_byte_received(self) -> None:
        """Stores the time of the first byte. From now on only the total time is limited."""
        self.first_byte_at = time.monotonic()  # the loop's own clock is too coarse
        self.deadline = self.total_deadline

    def response_received(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """Passes on a whole response, then frees the connection, or closes it if the receiver refuses the response."""
        receiver, self._receiver = self._receiver, None
        connection = self.connection
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
        """Passes on the head of a large response."""
        connection = self.connection
        if self._receiver is not None:
            self._receiver.head_received(head.status, head.headers, head.length, body)
        if self._receiver is not None and _TRAN_ID not in head.headers:
            self._pool.stop_reuse(connection)

    def body_received(self, body: bytes) -> None:
        """Passes on a part of the body."""
        if self._receiver is not None:
            self._receiver.body_received(body)

    def response_ended(self) -> None:
        """Passes on the end."""
        receiver, self._receiver = self._receiver, None
        try:
            if receiver is not None:
                receiver.response_ended()
        finally:
            self._pool.finish(self)

    def request_failed(self, failure: ResponseFailure) -> None:
        """Sends the request again if the upstream closed a reused connection before the first byte; else fails.

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
            cause = "" if error is None else f"_{classify_error(error)}"
            self.fail(FAULTS["provider_reset"], f"{failure}{cause}")


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
        self.first_byte_s = float(dialer.timeouts.first_byte_s)
        self.total_s = float(dialer.timeouts.total_s)
        self._idle_s = dialer.timeouts.idle_s
        self._dialer = dialer
        self._permits = OperatorShares(concurrency)
        self._queue_permits = OperatorShares(queue)
        self.on_wait: Callable[[], None] | None = None  # is called when a request begins to wait
        self._watch = watch
        self._idle: list[list[ClientConnection]] = [[] for _ in range(dialer.instance_count)]
        self._next_instance = 0
        self._waiting: deque[PoolRequest] = deque()
        self._ending: list[tuple[ClientConnection | None, str]] = []
        self._reuses = True
        self.connections: set[ClientConnection] = set()
        self._is_retired = False
        self.may_retry = True
        self.requires_tran_id = True

    def counts(self) -> dict[str, int]:
        """Returns the number of idle connections, of requests with a permit ("flying") and of waiting requests."""
        return {"idle": sum(map(len, self._idle)), "flying": self._permits.taken, "waiting": len(self._waiting)}

    def resize(self, concurrency: int, queue: int) -> None:
        """Changes the limits. Waiting requests begin when they may; requests above a limit are completed."""
        self._permits.resize(concurrency)
        self._queue_permits.resize(queue)
        if self._waiting:
            self._start_next(self.loop.time())

    def send(self, write_request: RequestWriter, receiver: ResponseReceiver, operator: str = "") -> PoolRequest:
        """Sends a request, now or when a permit is free.

        Raises Refusal provider_busy (50005) if permits and queue are used up, operator_share (42901) if the operator
        has its share of both.
        """
        now = self.loop.time()
        request = PoolRequest(self, write_request, receiver, now, operator)
        if self._permits.take(operator):
            self._start(request, now)
        elif self._queue_permits.take(operator, len(self._ending)):
            self._waiting.append(request)
            if self.on_wait is not None:
                self.on_wait()
        elif self._queue_permits.is_full(len(self._ending)):
            raise Refusal(FAULTS["provider_busy"])
        else:
            raise Refusal(FAULTS["operator_share"], retry_after=_RETRY_S)
        self._watch.add(request)
        return request

    def _start(self, request: PoolRequest, now: float) -> None:
        """Sends a request that has a permit to the next instance, over the connection used last or a new one.

        A connection with unread bytes has an unsolicited response or is being closed: it takes no request. One used
        just before is not checked: if it was closed, the request is sent again.
        """
        request.has_permit = True
        self._next_instance = instance = (self._next_instance + 1) % len(self._idle)
        idle = self._idle[instance]
        while idle:
            connection = idle.pop()
            if connection.may_carry(now):
                request.attempts += 1  # PERF: request.send_on, inlined
                request.connection = connection
                connection.send(request.write_request(instance), request)
                return
            connection.close()
        self.dial(request)

    def dial(self, request: PoolRequest) -> None:
        """Opens a new connection for a request, to the current instance or the next that accepts one."""
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
        self.connections.add(connection)
        request.send_on(connection)

    def stop_reuse(self, connection: ClientConnection | None) -> None:
        """Reuses no connection any more: an accepted response had no x-api-tran-id.

        The next response on the same connection could belong to any call.
        """
        if self.requires_tran_id:
            self._reuses = False
            self._close_idle()
            if connection is not None:
                connection.reusable = False

    def finish(self, request: PoolRequest) -> None:
        """Releases a request whose response was read. Its connection is free in the next turn of the loop."""
        connection, request.connection = request.connection, None
        self.release(request, connection)

    def release(self, request: PoolRequest, connection: ClientConnection | None = None) -> None:
        """Releases an ended request. Its permit is free in the next turn of the loop.

        By then all bytes that came with the response are read; surplus bytes have closed the connection.
        """
        self._watch.discard(request)
        if request.has_permit:
            request.has_permit = False
            self._ending.append((connection, request.operator))
            if len(self._ending) == 1:
                self.loop.call_soon(self._free_permits)
        else:
            self._leave_queue(request)

    def _leave_queue(self, request: PoolRequest) -> None:
        self._waiting.remove(request)
        self._queue_permits.release(request.operator)

    def _free_permits(self) -> None:
        """Frees the permits of ended requests, keeps or closes their connections, and starts waiting requests."""
        now = self.loop.time()
        ended, self._ending = self._ending, []
        for connection, operator in ended:
            self._permits.release(operator)
            if connection is None:
                continue
            is_old = now - connection.opened_at > _MOST_AGE_S
            if self._is_retired or is_old or not self._reuses or not connection.reusable:
                connection.close()
            else:
                has_limit = connection.keep_alive is not None
                connection.idle_until = now + (self._dialer.idle_limit(connection) if has_limit else self._idle_s)
                connection.fresh_until = now + _FRESH_S if self.may_retry else now
                self._idle[connection.instance].append(connection)
        if self._waiting:
            self._start_next(now)

    def _start_next(self, now: float) -> None:
        """Starts waiting requests: first those of the operator with the fewest permits, none beyond its share."""
        shares = self._permits
        while ready := [request for request in self._waiting if shares.fits(request.operator)]:
            request = min(ready, key=lambda request: shares.taken_by(request.operator))
            self._leave_queue(request)
            shares.take(request.operator)
            self._start(request, now)

    def close_expired(self, now: float) -> None:
        """Closes connections that were idle too long."""
        for idle in self._idle:
            for connection in [each for each in idle if now >= each.idle_until or not each.reusable]:
                idle.remove(connection)
                connection.close()

    def retire(self) -> None:
        """Keeps no connection any more. Requests in flight are completed."""
        self._is_retired = True
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle:
            for connection in idle:
                connection.close()
            idle.clear()

    def _connection_lost(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        if connection in self._idle[connection.instance]:
            self._idle[connection.instance].remove(connection)
