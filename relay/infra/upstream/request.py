"""One request to an upstream, from its wait for a permit to the end of its response."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from relay.domain.fault import FAULTS, Fault
from relay.domain.ports import RequestWriter, ResponseReceiver
from relay.infra.diagnostics.causes import classify_error
from relay.policy.upstream.adapter_headers import FAULT_HEADER, read_fault
from relay.wire.client import ClientConnection
from relay.wire.head import ResponseHead
from relay.wire.response_handler import ResponseFailure

_TRAN_ID: Final = b"x-api-tran-id"  # shows to which call a response belongs
_UNREACHABLE: Final = FAULTS["adapter_unreachable"]
_CONNECT_FAULTS: Final = {
    **{cause: f"connect_{cause}" for cause in ("refused", "reset", "unreachable")},
    "time_out": "connect_timeout",
}
"""Faults by cause, where they have another name."""


class RequestPool(ABC):
    """What a request needs of its pool. PERF: a class, since calls of a Protocol are slow in the compiled form.

    `is_adapter`: the peer is the adapter, whose responses may report a fault of the institution's core.
    """

    def __init__(self, first_byte_s: float, total_s: float) -> None:
        self.first_byte_s = first_byte_s
        self.total_s = total_s
        self.may_retry = True
        self.is_adapter = False

    @abstractmethod
    def dial(self, request: "PoolRequest") -> None:
        """Opens a new connection for a request."""

    @abstractmethod
    def cancel_dial(self, request: "PoolRequest") -> None:
        """Opens no connection for a request any more."""

    @abstractmethod
    def release(self, request: "PoolRequest", connection: ClientConnection | None = None) -> None:
        """Releases an ended request, with its connection if that is usable."""

    @abstractmethod
    def stop_reuse(self, connection: ClientConnection | None) -> None:
        """Reuses no connection any more."""

    @abstractmethod
    def connection_lost(self, connection: ClientConnection) -> None:
        """Forgets a connection that has ended."""

    @abstractmethod
    def record_failure(self, request: "PoolRequest", fault: Fault) -> None:
        """Records a request without a response."""

    @abstractmethod
    def record_failure_of(self, connection: ClientConnection) -> None:
        """Records a connection that ended before its response."""


class PoolRequest:
    """One request and its response. It ends exactly once and leaves no state.

    `causes` are those of failed dials, by address. `queued_at` is the time of its begin, `started_at` that of its
    permit.
    """

    __slots__ = (
        "_pool",
        "_receiver",
        "attempts",
        "causes",
        "connection",
        "deadline",
        "first_byte_at",
        "has_permit",
        "is_dialing",
        "is_scheduled",
        "is_streamed",
        "operator",
        "queued_at",
        "started_at",
        "total_deadline",
        "write_request",
    )

    def __init__(
        self,
        pool: "RequestPool",
        write: RequestWriter,
        receiver: ResponseReceiver,
        now: float,
        operator: str,
        is_scheduled: bool,
    ) -> None:
        self._pool = pool
        self.operator = operator
        self.is_scheduled = is_scheduled
        self.queued_at = self.started_at = now
        self.write_request = write
        self._receiver: ResponseReceiver | None = receiver
        self.attempts = 0
        self.connection: ClientConnection | None = None
        self.causes: dict[int, str] | None = None
        self.is_dialing = self.is_streamed = False
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
    def on_lost(self) -> Callable[[ClientConnection], None]:
        """What a connection opened for this request calls when it ends."""
        return self._pool.connection_lost

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
            self._pool.record_failure(self, fault)
            self._release()
            receiver.request_failed(fault, detail)

    def wait(self, queue_s: float) -> None:
        """Waits for a permit, for `queue_s` at most."""
        self.deadline = min(self.deadline, self.queued_at + queue_s)

    def end_wait(self) -> None:
        """Has a permit from now on. Waiting counts in the time of the first byte."""
        self.deadline = self.queued_at + self._pool.first_byte_s

    def handle_timeout(self, now: float) -> None:
        """Ends a request whose first or last byte did not come in time."""
        if self.first_byte_at and now < self.total_deadline:
            self.deadline = self.total_deadline
        elif not self.has_permit:
            self.fail(FAULTS["queue_timeout"], "")
        elif self.is_dialing:
            self.fail_to_connect("time_out")
        else:
            self.fail(FAULTS["provider_silent"], "total" if self.first_byte_at else "first_byte")

    def fail_to_connect(self, cause: str) -> None:
        """Ends a request without a connection; the record has the causes at all addresses."""
        name = _CONNECT_FAULTS.get(cause, cause)
        causes = dict.fromkeys([*(self.causes or {}).values(), cause])
        fault = FAULTS.get(name, FAULTS["connect_failed"])
        self.fail(_UNREACHABLE if self._pool.is_adapter else fault, " ".join(causes))

    def _finish(self) -> None:
        """Leaves the pool with a connection whose response was read."""
        connection, self.connection = self.connection, None
        self._pool.release(self, connection)

    def _release(self) -> None:
        """Leaves the pool and aborts dial and connection: a partly read response makes the connection useless."""
        connection, self.connection = self.connection, None
        if self.is_dialing:
            self._pool.cancel_dial(self)
        if connection is not None:
            connection.abort()
        self._pool.release(self)

    def first_byte_received(self) -> None:
        """Stores the time of the first byte. From now on only the total time is limited."""
        self.first_byte_at = time.monotonic()  # the loop's own clock is too coarse
        self.deadline = self.total_deadline

    def response_received(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """Passes on a whole response, then frees the connection, or closes it if the receiver refuses the response."""
        if self._pool.is_adapter and FAULT_HEADER in headers:
            fault, detail = read_fault(headers)
            self.fail(fault, detail)
            return
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
            self._finish()

    def head_received(self, head: ResponseHead, body: bytes) -> None:
        """Passes on the head of a large response."""
        connection, self.is_streamed = self.connection, True
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
            self._finish()

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
            if connection is not None:
                self._pool.record_failure_of(connection)
            error = connection.error if connection is not None else None
            cause = "" if error is None else f"_{classify_error(error)}"
            fault = _UNREACHABLE if self._pool.is_adapter else FAULTS["provider_reset"]
            self.fail(fault, f"{failure}{cause}")
