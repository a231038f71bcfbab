"""One worker of a gateway: a gateway process that its parent starts, observes and stops."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from relay.infra.process.control_channel import ControlChannel
from relay.policy.settings.stop_time import REPORT_S
from relay.runtime.processes.gateway import GatewayProcess
from relay.runtime.processes.worker_messages import (
    ABORT,
    ADOPT,
    METRICS,
    REDUCE,
    RELEASE,
    RETIRE,
    STATUS,
    WorkerStart,
    WorkerStatus,
)

SocketsBySlot = Mapping[int, Sequence[socket.socket]]
"""The sockets of each slot, in the order of the listeners."""


class WorkerEndpoint:
    """Answers the parent over a channel. It takes the place of the admin port.

    It answers on the event loop of the calls: a parent without an answer knows that this loop is blocked.
    """

    def __init__(self, process: GatewayProcess, channel: ControlChannel, sockets: SocketsBySlot) -> None:
        self._process = process
        self._sockets = sockets
        self._channel = channel
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answers until the parent ends. Then the worker drains, and refuses new connections at once."""
        while (message := await self._channel.receive()) is not None:
            await self._handle(*message)
        await self._process.retire()
        self._process.drain()

    async def finish(self) -> None:
        """Sends the last metrics, for at most `REPORT_S`. Call this after the last exchange was counted."""
        self._channel.send(METRICS, await self._process.render_metrics())
        with contextlib.suppress(OSError):  # includes TimeoutError: the parent has ended
            async with asyncio.timeout(REPORT_S):
                await self._channel.flush()
        self._channel.close()

    async def _handle(self, name: str, content: bytes) -> None:
        if name == STATUS:
            self._channel.send(STATUS, self._build_status().encode())
        elif name == METRICS:
            self._start(self._send_metrics())
        elif name == REDUCE:
            self._process.relay.connection_registry.close_with_next_responses(int(content))
        elif name == ADOPT:
            self._process.listeners.adopt(int(content), self._sockets[int(content)])
        elif name == RELEASE:
            await self._process.listeners.release(int(content))
        elif name == RETIRE:
            await self._process.retire()
        elif name == ABORT:
            self._process.abort()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _build_status(self) -> WorkerStatus:
        process = self._process
        return WorkerStatus(
            missing=tuple(process.list_unready_parts()),
            plan=process.relay.gateway.plan.fingerprint,
            applied=process.reloader.applied,
            rejected=process.reloader.rejected,
            connections=len(process.relay.connection_registry.connections),
            jwks=process.relay.jwks(),
            needs_adapter=process.reloader.loaded.needs_adapter,
        )

    async def _send_metrics(self) -> None:
        self._channel.send(METRICS, await self._process.render_metrics())


def check_addresses(start: WorkerStart, config: Path, listeners: Sequence[Any]) -> None:
    """Raises OSError when the listeners of the settings are not those that the parent has opened."""
    current = tuple((listener.address, listener.port) for listener in listeners)
    if current != start.addresses:
        raise OSError(f"{config}: gateway.listeners: has changed: restart the relay, not its workers alone")


async def run_worker(
    config: Path, start: WorkerStart, end: socket.socket, sockets: Sequence[socket.socket], lost: Callable[[], int]
) -> None:
    """Runs a worker until its parent stops it. `end` is its end of the channel, `sockets` are those of all slots.

    `lost` returns how many log lines were lost. Raises what GatewayProcess raises.
    """
    count = len(start.addresses)
    by_slot = {slot: sockets[(slot - 1) * count : slot * count] for slot in range(1, start.share.workers + 1)}
    process = GatewayProcess(config, lost_log_lines=lost, share=start.share, sockets=by_slot[start.share.slot])
    check_addresses(start, config, process.relay.loaded.settings.gateway.listeners)
    endpoint = WorkerEndpoint(process, await ControlChannel.open(end), by_slot)
    answering = asyncio.create_task(endpoint.run())
    try:
        await process.run()
        await endpoint.finish()
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
