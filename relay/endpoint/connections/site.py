"""A listening socket that counts connections before it does anything else for them."""

import asyncio
import errno
import logging
import socket
import ssl
from functools import partial
from typing import Final

from aiohttp import web

from relay.endpoint.connections.limits import ConnectionCounts, ConnectionLimits, ConnectionPermit, ExceededLimit
from relay.endpoint.connections.timed import CLOSING_S, TimedConnection
from relay.primitives.log_throttle import LogThrottle
from relay.wire.acceptor import RejectionReason, get_rejection_reason
from relay.wire.sockets import limit_socket_buffers

_log = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_ACCEPTS_PER_TURN: Final = 32
"""Connections accepted in one turn of the event loop: a flood must leave time for calls."""
_HANDSHAKES_PER_TURN: Final = 2
"""Handshakes begun in one turn. Each takes 1 to 2 ms; a hundred in one turn delayed a refresh by 250 ms."""
_NO_DESCRIPTOR_PAUSE_S: Final = 0.1


class LimitedSite(web.BaseSite):
    """Accepts connections for a runner of `endpoint.serving` and closes those beyond the limits at once.

    `label` names the listener in log lines.
    """

    __slots__ = (
        "_context",
        "_counts",
        "_handshake_s",
        "_handshakes",
        "_label",
        "_listening",
        "_throttle",
    )

    def __init__(
        self,
        runner: web.ServerRunner,
        listening: socket.socket,
        limits: ConnectionLimits,
        *,
        label: str,
        context: ssl.SSLContext | None = None,
        handshake_s: float = 5.0,
    ) -> None:
        super().__init__(runner)
        self._listening = listening
        self._counts = ConnectionCounts(limits)
        self._label = label
        self._context = context
        self._handshake_s = handshake_s
        self._handshakes: set[asyncio.Task[None]] = set()
        self._throttle = LogThrottle()

    @property
    def name(self) -> str:
        """Returns the site's name in aiohttp's messages."""
        return self._label

    @property
    def connections(self) -> int:
        """Returns the number of connections, including handshakes."""
        return self._counts.open

    async def start(self) -> None:
        """Starts to accept connections."""
        await super().start()
        if self._listening.family != socket.AF_UNIX:
            limit_socket_buffers(self._listening)
        self._listening.listen(_BACKLOG)
        self._listening.setblocking(False)
        self._resume()

    async def stop(self) -> None:
        """Closes the listening socket and cancels pending handshakes."""
        if self._listening.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        await super().stop()
        for handshake in self._handshakes:
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        loop, admitted = asyncio.get_running_loop(), 0
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                accepted, source = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log_refused(get_rejection_reason(error), errno.errorcode.get(error.errno or 0, "-"))
                loop.remove_reader(self._listening)  # it stays readable: without a pause the event loop would spin
                loop.call_later(_NO_DESCRIPTOR_PAUSE_S, self._resume)
                return
            admitted += self._admit(accepted, str(source[0]).removeprefix("::ffff:") if source else "")
            if admitted >= _HANDSHAKES_PER_TURN:
                return

    def _admit(self, accepted: socket.socket, address: str) -> bool:
        loop = asyncio.get_running_loop()
        permit = self._counts.acquire(address, loop.time())
        if isinstance(permit, ExceededLimit):
            accepted.close()
            self._log_refused(permit, address or "-")
            return False
        accepted.setblocking(False)
        task = loop.create_task(self._serve(accepted, address, permit))
        self._handshakes.add(task)
        task.add_done_callback(partial(self._handshake_ended, accepted, permit))
        return True

    def _handshake_ended(
        self, accepted: socket.socket, permit: ConnectionPermit, handshake: asyncio.Task[None]
    ) -> None:
        self._handshakes.discard(handshake)
        if handshake.cancelled():  # possibly before its first step
            accepted.close()
            permit.release()

    async def _serve(self, accepted: socket.socket, address: str, permit: ConnectionPermit) -> None:
        timeouts: dict[str, float] = {}
        if self._context is not None:
            timeouts = {"ssl_handshake_timeout": self._handshake_s, "ssl_shutdown_timeout": CLOSING_S}
        try:
            connection = self._make_connection()
            connection.on_lost = permit.release
            connection.on_flood = partial(self._log_refused, cause=address or "-")
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._context, **timeouts
            )
        except (OSError, TimeoutError) as error:
            accepted.close()
            permit.release()
            if (reason := get_rejection_reason(error)) in {RejectionReason.NO_DESCRIPTORS, RejectionReason.NO_MEMORY}:
                self._log_refused(reason, address or "-")
            else:
                _log.debug("TLS handshake failed: listener=%s reason=%s", self._label, reason)
        except BaseException:
            accepted.close()
            permit.release()
            raise

    def _make_connection(self) -> TimedConnection:
        server = self._runner.server
        connection = server() if server is not None else None
        if not isinstance(connection, TimedConnection):
            raise TypeError("the runner does not create timed connections")
        return connection

    def _log_refused(self, reason: str, cause: str) -> None:
        """Logs at most one line a second for each reason."""
        if count := self._throttle.count_event(reason, asyncio.get_running_loop().time()):
            text = "connections refused: listener=%s reason=%s cause=%s count=%d"
            _log.warning(text, self._label, reason, cause, count)
