"""The parent's side of one worker slot: its sockets, its process, and the channel to it."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from relay.infra.process.child_process import ChildProcess
from relay.infra.process.control_channel import ChannelBroken, ControlChannel, send_start
from relay.policy.settings.stop_time import CLOSE_S
from relay.runtime.processes.supervisor import Supervisor, stop_process
from relay.runtime.processes.worker_messages import ABORT, METRICS, REDUCE, RETIRE, STATUS, WorkerStart, WorkerStatus

_log = logging.getLogger(__name__)

ABORTED_S: Final = CLOSE_S
"""How long a worker may take to end when it serves no call any more."""

METRICS_S: Final = 2.0
"""How long a scrape waits for a worker. After it, the last metrics of the worker count."""


class WorkerLink:
    """The channel to one worker process, with its last status and metrics. `on_end` is called when it has ended."""

    def __init__(self, process: ChildProcess, end: socket.socket, on_end: Callable[["WorkerLink"], None]) -> None:
        self.process = process
        self.status: WorkerStatus | None = None
        self.metrics = ""
        self.answered_at = time.monotonic()
        self._channel: ControlChannel | None = None
        self._metrics_received = asyncio.Event()
        self._on_end = on_end
        self.ended = asyncio.create_task(self._receive(end))

    @property
    def is_listening(self) -> bool:
        """Whether the worker accepts connections."""
        return self.status is not None and self.status.is_listening and not self.ended.done()

    def send(self, name: str, content: bytes = b"") -> None:
        """Sends a message, unless the worker has ended."""
        if self._channel is not None:
            self._channel.send(name, content)

    async def fetch_metrics(self) -> str:
        """Returns the metrics of the worker: those of now, or its last ones if it does not answer in time."""
        if self.status is not None:  # it has started
            self._metrics_received.clear()
            self.send(METRICS)
            with contextlib.suppress(TimeoutError):  # a busy or ended worker
                async with asyncio.timeout(METRICS_S):
                    await self._metrics_received.wait()
        return self.metrics

    async def _receive(self, end: socket.socket) -> None:
        channel = self._channel = await ControlChannel.open(end)
        try:
            while (message := await channel.receive()) is not None:
                self._take(*message)
        except (ChannelBroken, ValueError, KeyError, TypeError) as error:
            _log.error("worker sent an unknown message: pid=%d reason=%s", self.process.pid, type(error).__name__)
        finally:
            channel.close()
            self._metrics_received.set()
            self._on_end(self)

    def _take(self, name: str, content: bytes) -> None:
        if name == STATUS:
            self.status, self.answered_at = WorkerStatus.decode(content), time.monotonic()
        elif name == METRICS:
            self.metrics = content.decode()
            self._metrics_received.set()


class WorkerSlot:
    """One of the workers: runs a process, and replaces it without losing a queued connection.

    The parent keeps the `sockets` of all slots open and passes them to each process, which accepts from its own.
    `on_end` is called with the last metrics of each process that has ended.
    """

    def __init__(
        self,
        start: WorkerStart,
        sockets: Sequence[socket.socket],
        command: Sequence[str],
        stop_s: float,
        on_end: Callable[[str], None],
    ) -> None:
        self.number = start.share.slot
        self._start = start
        self._sockets = sockets
        self._command = command
        self._stop_s = stop_s
        self._on_end = on_end
        self.links: list[WorkerLink] = []
        """Channels to running processes: one, or two while a process is replaced."""
        self.supervisor = Supervisor(
            f"worker-{self.number}", command, spawn=self._spawn, is_ready=self._is_listening, stop_s=stop_s
        )

    @property
    def link(self) -> WorkerLink | None:
        """The channel to the current process, None while there is none."""
        return next((link for link in self.links if link.process is self.supervisor.process), None)

    @property
    def status(self) -> WorkerStatus | None:
        """The last status of the current process, None before the first."""
        link = self.link
        return None if link is None else link.status

    async def start(self) -> None:
        """Starts the process, waits until it is ready, and keeps it running. Raises ChildNotReady and OSError."""
        await self.supervisor.start()
        await self.supervisor.wait_until_ready()
        self.supervisor.keep_running()

    async def replace(self) -> int:
        """Replaces the process by a new one. Returns its id. Raises ChildNotReady or OSError; the former stays then."""
        await self.supervisor.replace(self._retire)
        return self.supervisor.process.pid if self.supervisor.process is not None else 0

    def request_status(self) -> None:
        """Asks all processes of the slot for their status."""
        for link in self.links:
            link.send(STATUS)

    @property
    def is_listening(self) -> bool:
        """Whether the current process accepts connections."""
        return self.link is not None and self.link.is_listening

    def reduce(self, excess: int) -> None:
        """Makes the current process close a number of connections."""
        if self.link is not None:
            self.link.send(REDUCE, b"%d" % excess)

    def abort(self) -> None:
        """Makes all processes of the slot end at once; kills those that hang after ABORTED_S."""
        for link in self.links:
            link.send(ABORT)
            asyncio.get_running_loop().call_later(ABORTED_S, link.process.kill)

    async def stop(self) -> None:
        """Stops all processes of the slot: each drains first."""
        await asyncio.gather(
            self.supervisor.stop(), *(stop_process(link.process, self._stop_s) for link in list(self.links))
        )
        await asyncio.gather(*(link.ended for link in list(self.links)), return_exceptions=True)

    def _spawn(self) -> ChildProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = ChildProcess(self._command, stdin=theirs.fileno())
            except BaseException:
                ours.close()
                raise
        with contextlib.suppress(OSError):  # it has ended already: the supervisor sees it
            send_start(ours, self._start.encode(), self._sockets)
        self.links.append(WorkerLink(process, ours, self._forget))
        return process

    def _is_listening(self, process: ChildProcess) -> bool:
        link = next((link for link in self.links if link.process is process), None)
        if link is None:
            return False
        link.send(STATUS)
        return link.is_listening

    def _retire(self, process: ChildProcess) -> None:
        for link in self.links:
            if link.process is process:
                link.send(RETIRE)

    def _forget(self, link: WorkerLink) -> None:
        self.links.remove(link)
        self._on_end(link.metrics)
