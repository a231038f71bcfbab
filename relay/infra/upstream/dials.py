"""Opens the connections of a pool: to usable addresses first, to each a few at once; probes ejected addresses."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from relay.infra.diagnostics.outages import OutageLogs
from relay.infra.upstream.dialing import Dialer, NotConnected
from relay.infra.upstream.request import PoolRequest
from relay.policy.upstream.addresses import Addresses
from relay.wire.client import ClientConnection

_NO_DESCRIPTORS: Final = "no_descriptors"

MOST_AT_ONCE: Final = 16
"""Connections that are opened to one address at once."""


class Dials:
    """Opens a connection for each request that asks. One that fails is tried at the other addresses.

    `connections` gets each open one. It keeps no reference to its pool: a replaced pool must leave no cycle, since
    objects of a plan are frozen and their cycles never collected (`GarbageCollection`).
    """

    def __init__(
        self,
        dialer: Dialer,
        addresses: Addresses,
        loop: asyncio.AbstractEventLoop,
        connections: set[ClientConnection],
    ) -> None:
        self._dialer = dialer
        self._addresses = addresses
        self._loop = loop
        self._connections = connections
        self._tasks: list[dict[PoolRequest, asyncio.Task[None]]] = [{} for _ in range(dialer.instance_count)]
        self._waiting: deque[PoolRequest] = deque()
        self._probes: dict[int, asyncio.Task[None]] = {}
        self._outages = OutageLogs(loop.time)

    def is_busy(self, index: int) -> bool:
        """Returns whether as many connections are being opened to an address as may be."""
        return len(self._tasks[index]) >= MOST_AT_ONCE

    def begin(self, request: PoolRequest, index: int) -> None:
        """Opens a connection to address `index` or, if it is busy, to another; else when another attempt has ended."""
        request.is_dialing = True
        index = self._find_free(index, request)
        if self.is_busy(index):
            self._waiting.append(request)
        else:
            self._tasks[index][request] = self._loop.create_task(self._connect(request, index))

    def _find_free(self, index: int, request: PoolRequest) -> int:
        """Returns `index` or, if it is busy, another usable address that is not."""
        if not self.is_busy(index):
            return index
        tried = request.causes or ()
        others = (each for each in range(len(self._tasks)) if each not in tried and not self.is_busy(each))
        return next((each for each in others if not self._addresses.is_ejected(each)), index)

    def cancel(self, request: PoolRequest) -> None:
        """Opens no connection for this request any more."""
        request.is_dialing = False
        if request in self._waiting:
            self._waiting.remove(request)
        for tasks in self._tasks:
            task = tasks.pop(request, None)
            if task is not None:
                task.cancel()
        self._begin_waiting()

    def take_waiting(self) -> PoolRequest | None:
        """Returns a request that waits for its turn to open a connection, None if there is none."""
        if not self._waiting:
            return None
        request = self._waiting.popleft()
        request.is_dialing = False
        return request

    def eject(self, index: int, cause: str) -> None:
        """Continues at other addresses with the connections that are being opened to one that was ejected."""
        self._outages.record_failure(self._describe(index), cause)
        for request in list(self._tasks[index]):
            task = self._tasks[index].pop(request)
            task.cancel()
            self._try_next(request, index, "time_out")

    def _describe(self, index: int) -> str:
        return f"address of an institution: address={self._dialer.describe(index)}"

    def probe(
        self, now: float, on_lost: Callable[[ClientConnection], None], add_idle: Callable[[ClientConnection], None]
    ) -> None:
        """Opens a connection to each ejected address that is due; `add_idle` takes it, and the address is used again.

        The connection calls `on_lost` when it ends.
        """
        for index in self._addresses.list_due(now):
            if index not in self._probes:
                self._probes[index] = self._loop.create_task(self._probe(index, on_lost, add_idle))

    def close(self) -> None:
        """Probes no address any more."""
        for task in self._probes.values():
            task.cancel()

    async def _connect(self, request: PoolRequest, index: int) -> None:
        begun = self._loop.time()
        try:
            connection = await self._dialer.dial(request.on_lost, index)
        except NotConnected as error:
            self._tasks[index].pop(request, None)
            cause = str(error)
            if cause == _NO_DESCRIPTORS:  # the relay's own fault: no address is better
                request.is_dialing = False
                request.fail_to_connect(cause)
            else:
                self._try_next(request, index, cause)
                if self._addresses.record_connect_failure(index, self._loop.time()):
                    self.eject(index, cause)
        else:
            self._tasks[index].pop(request, None)
            self._connections.add(connection)
            request.is_dialing = False
            if self._dialer.instance_count > 1:
                now = self._loop.time()
                if self._addresses.record_connect(index, now - begun, now):
                    self.eject(index, "slow")
            request.send_on(connection)
        self._begin_waiting()

    def _try_next(self, request: PoolRequest, index: int, cause: str) -> None:
        """Opens a connection to another address; the request fails if all were tried."""
        if len(request.causes or ()) + 1 >= self._dialer.instance_count:
            request.is_dialing = False
            request.attempts += 1
            request.fail_to_connect(cause)
            return
        request.causes = {**(request.causes or {}), index: cause}
        self.begin(request, self._addresses.choose(index, self._loop.time(), request.causes))

    def _begin_waiting(self) -> None:
        while self._waiting:
            tried = self._waiting[0].causes or ()
            index = self._find_free(self._addresses.choose(0, self._loop.time(), tried), self._waiting[0])
            if self.is_busy(index):
                return
            self.begin(self._waiting.popleft(), index)

    async def _probe(
        self, index: int, on_lost: Callable[[ClientConnection], None], add_idle: Callable[[ClientConnection], None]
    ) -> None:
        try:
            connection = await self._dialer.dial(on_lost, index)
        except NotConnected:
            return
        finally:
            del self._probes[index]
        self._connections.add(connection)
        self._addresses.restore(index, self._loop.time())
        self._outages.record_success(self._describe(index))
        add_idle(connection)
