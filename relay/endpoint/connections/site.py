"""A listening socket whose connections are counted before anything else is done for them."""

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from functools import partial
from typing import Final

from aiohttp import web

from relay.endpoint.connections.limits import ConnectionCounts, ConnectionLimits, Exceeded, Place
from relay.endpoint.connections.timed import CLOSING_S, TimedConnection
from relay.wire.entrance import Rejected, why_rejected
from relay.wire.sockets import bound_accepted

_log = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_AT_ONCE: Final = 32
"""Connections accepted in one turn of the loop: a flood of them must leave turns for calls."""
_HANDSHAKES_AT_ONCE: Final = 2
"""Of these so many may be let in: a TLS handshake takes 1 to 2 ms, a hundred in one turn made a refresh wait 250 ms."""
_EXHAUSTED_S: Final = 0.1
_LOG_EVERY_S: Final = 1.0


class LimitedSite(web.BaseSite):
    """Accepts connections for a runner of `serving.served`, and closes those beyond the limits at once.

    `label` names the listener in log lines.
    """

    __slots__ = ("_context", "_counts", "_entering", "_handshake_s", "_label", "_listening", "_logged", "_unlogged")

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
        self._entering: set[asyncio.Task[None]] = set()
        self._logged: dict[str, float] = {}
        self._unlogged: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The site's name in aiohttp's messages."""
        return self._label

    @property
    def connections(self) -> int:
        """How many connections there are, handshakes included."""
        return self._counts.open

    async def start(self) -> None:
        """Begin to accept connections."""
        await super().start()
        if self._listening.family != socket.AF_UNIX:
            bound_accepted(self._listening)
        self._listening.listen(_BACKLOG)
        self._listening.setblocking(False)
        self._resume()

    async def stop(self) -> None:
        """Close the listening socket and end handshakes under way."""
        if self._listening.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        await super().stop()
        for entering in self._entering:
            entering.cancel()
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _resume(self) -> None:
        if self._listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        loop, admitted = asyncio.get_running_loop(), 0
        for _ in range(_AT_ONCE):
            try:
                accepted, source = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log_refused(why_rejected(error), errno.errorcode.get(error.errno or 0, "-"))
                loop.remove_reader(self._listening)  # it stays readable: without a pause the loop would spin
                loop.call_later(_EXHAUSTED_S, self._resume)
                return
            admitted += self._admit(accepted, str(source[0]).removeprefix("::ffff:") if source else "")
            if admitted >= _HANDSHAKES_AT_ONCE:
                return

    def _admit(self, accepted: socket.socket, address: str) -> bool:
        loop = asyncio.get_running_loop()
        place = self._counts.take(address, loop.time())
        if isinstance(place, Exceeded):
            accepted.close()
            self._log_refused(place, address or "-")
            return False
        accepted.setblocking(False)
        task = loop.create_task(self._serve(accepted, address, place))
        self._entering.add(task)
        task.add_done_callback(partial(self._leave, accepted, place))
        return True

    def _leave(self, accepted: socket.socket, place: Place, entering: asyncio.Task[None]) -> None:
        self._entering.discard(entering)
        if entering.cancelled():  # also one that was cancelled before its first step
            accepted.close()
            place.give_back()

    async def _serve(self, accepted: socket.socket, address: str, place: Place) -> None:
        times: dict[str, float] = {}
        if self._context is not None:
            times = {"ssl_handshake_timeout": self._handshake_s, "ssl_shutdown_timeout": CLOSING_S}
        try:
            connection = self._connection()
            connection.released = place.give_back
            connection.flooded = partial(self._log_refused, cause=address or "-")
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._context, **times
            )
        except (OSError, TimeoutError) as error:
            accepted.close()
            place.give_back()
            if (reason := why_rejected(error)) is Rejected.NO_DESCRIPTORS:
                self._log_refused(reason, address or "-")
            else:
                _log.debug("TLS handshake failed: listener=%s reason=%s", self._label, reason)
        except BaseException:
            accepted.close()
            place.give_back()
            raise

    def _connection(self) -> TimedConnection:
        server = self._runner.server
        connection = server() if server is not None else None
        if not isinstance(connection, TimedConnection):
            raise TypeError("the runner makes no timed connections")
        return connection

    def _log_refused(self, reason: str, cause: str) -> None:
        """Log one line a second at most for each reason; others are counted into the next."""
        self._unlogged[reason] += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged.get(reason, -_LOG_EVERY_S) < _LOG_EVERY_S:
            return
        self._logged[reason] = now
        count = self._unlogged.pop(reason)
        _log.warning("connections refused: listener=%s reason=%s cause=%s count=%d", self._label, reason, cause, count)
