"""The parent of a gateway's workers: opens their sockets, runs them, and answers on the admin port for all."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from relay.admin.endpoints import build_admin_application
from relay.admin.merged_metrics import MergedMetrics
from relay.admin.server import AdminServer
from relay.infra.process.control_channel import MAX_SOCKETS
from relay.infra.process.start_signals import allow_hangups
from relay.policy.quota.worker_balance import find_excess
from relay.policy.settings.stop_time import compute_gateway_stop_s
from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.processes.adapter_need import AdapterNeed
from relay.runtime.processes.restart_socket import RestartSocket
from relay.runtime.processes.sockets import bind_shared_sockets, bind_socket, name_owner
from relay.runtime.processes.supervisor import ChildNotReady
from relay.runtime.processes.worker_messages import ADOPT, RELEASE, WorkerStart
from relay.runtime.processes.worker_metrics import format_parent_metrics
from relay.runtime.processes.worker_slot import WorkerLink, WorkerSlot
from relay.runtime.settings.loading import load_settings

_log = logging.getLogger(__name__)

STATUS_S: Final = 1.0
SILENT_S: Final = 10.0
"""A worker without an answer for this long is not ready. A shorter time would make a busy gateway refuse calls."""
BALANCE_S: Final = 10.0
"""Pause after connections were moved: their operators connect again, and the next status counts them."""


def build_command(config: Path, log_level: str) -> Sequence[str]:
    """Returns the command of a worker process."""
    return (sys.executable, "-m", "relay", "worker", "--log-level", log_level, "-c", str(config))


class WorkersProcess:
    """Runs `count` workers until `stop`. It serves no call itself; `on_sighup` passes SIGHUP on to other children.

    SIGHUP reloads all workers, SIGUSR2 replaces them one by one, SIGTERM drains all.
    """

    def __init__(
        self,
        config: Path,
        count: int,
        log_level: str = "info",
        on_sighup: Callable[[], object] = lambda: None,
        lost_log_lines: Callable[[], int] = lambda: 0,
    ) -> None:
        loaded = load_settings(config, os.environ)
        settings = loaded.settings
        self._settings = settings.gateway
        self.adapter_need = AdapterNeed(is_needed=loaded.needs_adapter)
        self._command = build_command(config, log_level)
        self._count = count
        self._on_sighup = on_sighup
        self.on_second_stop: Callable[[], object] = lambda: None
        self._lost_log_lines = lost_log_lines
        self._loop = asyncio.get_running_loop()
        self._metrics = MergedMetrics()
        self._admin_settings = settings.admin
        self._admin_socket: socket.socket | None = None
        self._sockets: list[list[socket.socket]] = []
        """The sockets of each listener, by slot."""
        self._adopters: dict[int, WorkerLink] = {}
        """By slot without a worker: the worker of another slot that accepts from its sockets."""
        self.slots: list[WorkerSlot] = []
        self._jwks: Mapping[str, Any] = {}
        self._plan = ""
        self._ticked_at = self._balanced_at = time.monotonic()
        self._restart: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when all workers have started."""
        self.ports: list[int] = []
        """The ports of the listeners in the order of the settings."""
        admin = build_admin_application(
            self._write_metrics, self.list_unready_parts, self.jwks, self.stalled_s, settings.health.stall_s
        )
        self.admin = AdminServer(admin, settings.admin.address, settings.admin.port)

    async def run(self) -> None:
        """Runs the workers until `stop`, then drains them. Raises OSError and ChildNotReady when they cannot start."""
        restart_socket = RestartSocket(Path(self._settings.socket), self.restart)
        tasks: list[asyncio.Task[None]] = []
        self._loop.add_signal_handler(signal.SIGUSR2, self._handle_restart_signal)
        try:
            if self._admin_socket is None:
                await self.open_sockets()
            await restart_socket.open()
            self._ticked_at = time.monotonic()  # authority and jobs may have started for longer than a stall
            with name_owner(self._admin_settings.address, self.admin.port, "admin.port"):
                self.admin.start(self._admin_socket)
            for name in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(name, self.stop)
            tasks.append(self._loop.create_task(self._beat()))
            if not await self._start_unless_stopped():
                _log.info("gateway stopped before its workers had started: workers=%d", self._count)
                return
            tasks.append(self._loop.create_task(self._watch_workers()))
            self._loop.add_signal_handler(signal.SIGHUP, self._handle_sighup)
            allow_hangups()
            _log.info("gateway ready: ports=%s admin_port=%s workers=%d", self.ports, self.admin.port, self._count)
            self.ready.set()
            await self._stop.wait()
            _log.info("gateway stopping, workers serve on: delay_s=%.1f", self._settings.drain.delay_s)
        finally:
            await restart_socket.close()
            await asyncio.gather(_cancel(self._restart), self._stop_workers())  # a successor that hangs delays no other
            for task in tasks:
                await _cancel(task)
            self.admin.stop()
            self.close_sockets()
        _log.info("gateway stopped: workers=%d", self._count)

    def stop(self) -> None:
        """Drains all workers; a second call ends them at once."""
        if self._stop.is_set():
            self.on_second_stop()
            self._close_sockets()
            for slot in self.slots:
                slot.abort()
        self._stop.set()

    @property
    def _is_restarting(self) -> bool:
        return self._restart is not None and not self._restart.done()

    async def restart(self, report: Callable[[str], object]) -> None:
        """Replaces the workers one by one. `report` gets a line for each. Raises ChildNotReady and OSError.

        A restart that has begun continues when the caller is cancelled.
        """
        if not self.ready.is_set():
            raise ChildNotReady("the workers have not started yet")
        if self._stop.is_set():  # a request that was on its way
            raise ChildNotReady("the gateway stops")
        if self._is_restarting:
            raise ChildNotReady("another restart is under way")
        self._restart = self._loop.create_task(self._replace_workers(report))
        await asyncio.shield(self._restart)

    # the admin port, on its own thread

    async def render_metrics(self) -> bytes:
        """Returns the metrics of all workers, merged."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._render_metrics(), self._loop))

    async def _write_metrics(self) -> list[bytes]:
        return [await self.render_metrics()]

    def list_unready_parts(self) -> list[str]:
        """Returns the names of parts that cannot serve yet or any more, as /readyz shows them."""
        if self._stop.is_set():
            return ["stopping"]
        missing: dict[str, None] = {}
        if len(self.slots) < self._count:
            missing["listeners"] = None
        for slot in self.slots:
            link = slot.link
            if link is None or link.status is None or time.monotonic() - link.answered_at > SILENT_S:
                missing[f"worker {slot.number}"] = None
            else:
                missing |= dict.fromkeys(link.status.missing)
        return list(missing)

    def jwks(self) -> Mapping[str, Any]:
        """Returns the public keys that verify our tokens, as the workers last had them (RFC 7517)."""
        statuses = [slot.status for slot in list(self.slots)]
        self._jwks = next((status.jwks for status in statuses if status is not None and status.jwks), self._jwks)
        return self._jwks

    def stalled_s(self) -> float:
        """Returns seconds since the loop of this process, or of the worker silent for longest, last ran."""
        now = time.monotonic()
        links = [slot.link for slot in list(self.slots)]
        silent = [now - link.answered_at for link in links if link is not None and link.status is not None]
        return max([now - self._ticked_at, *silent])

    async def _render_metrics(self) -> bytes:
        links = [link for slot in self.slots for link in slot.links]
        await asyncio.gather(*(link.fetch_metrics() for link in links))
        running = [link.metrics for slot in self.slots for link in slot.links]  # without those that ended meanwhile
        return self._metrics.render([*running, format_parent_metrics(self.slots, self._lost_log_lines())])

    # the workers

    async def open_sockets(self) -> None:
        """Binds all addresses, before anything else is touched: a second relay is refused here. Raises OSError."""
        admin, listeners = self._admin_settings, self._settings.listeners
        self._admin_socket = bind_socket(admin.address, admin.port, "admin.port")
        if self._count * len(listeners) > MAX_SOCKETS:
            most = MAX_SOCKETS // len(listeners)
            raise OSError(f"gateway.workers: is {self._count}; with {len(listeners)} listeners at most {most}")
        for index, listener in enumerate(listeners):
            setting = f"gateway.listeners[{index}]"
            self._sockets.append(await bind_shared_sockets(listener.address, listener.port, self._count, setting))
        self.ports = [int(sockets[0].getsockname()[1]) for sockets in self._sockets]

    def close_sockets(self) -> None:
        """Closes what `open_sockets` has bound."""
        self._close_sockets()
        if self._admin_socket is not None:
            self._admin_socket.close()

    def _close_sockets(self) -> None:
        self.ports = []
        for sockets in self._sockets:
            for each in sockets:
                each.close()

    async def _start_unless_stopped(self) -> bool:
        """Starts the workers. Returns False if `stop` was called before all had started."""
        starting, stopping = self._loop.create_task(self._start_workers()), self._loop.create_task(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            await _cancel(starting)
            return False
        starting.result()
        return True

    async def _start_workers(self) -> None:
        """Starts the first worker alone, then the others: problems of the settings are reported once."""
        addresses = tuple((listener.address, listener.port) for listener in self._settings.listeners)
        stop_s = compute_gateway_stop_s(self._settings.drain)
        sockets = [each for of_slot in zip(*self._sockets, strict=True) for each in of_slot]
        for number in range(1, self._count + 1):
            start = WorkerStart(WorkerShare(number, self._count), addresses)
            self.slots.append(WorkerSlot(start, sockets, self._command, stop_s, self._handle_end))
        first, *others = self.slots
        await first.start()
        results = await asyncio.gather(*(slot.start() for slot in others), return_exceptions=True)
        for error in results:
            if error is not None:
                raise error

    def _handle_end(self, metrics: str) -> None:
        """Keeps the counts of an ended worker. Another worker accepts from its sockets until its successor does."""
        if metrics:
            self._metrics.keep(metrics)
        self._arrange_adoption()

    def _arrange_adoption(self) -> None:
        """Gives the sockets of slots without a listening worker to other workers, and takes them back."""
        for slot in self.slots:
            number, adopter = slot.number, self._adopters.get(slot.number)
            if slot.is_listening or self._stop.is_set():
                if adopter is not None:
                    del self._adopters[number]
                    adopter.send(RELEASE, b"%d" % number)
            elif adopter is None or not adopter.is_listening:
                adopters = (other.link for other in self.slots if other.is_listening)
                if (link := next(adopters, None)) is not None:
                    self._adopters[number] = link
                    link.send(ADOPT, b"%d" % number)

    async def _stop_workers(self) -> None:
        """Drains the workers. The sockets are closed when the workers close theirs: no connection waits there."""
        closing = self._loop.call_later(self._settings.drain.delay_s, self._close_sockets)
        await asyncio.gather(*(slot.stop() for slot in self.slots))
        closing.cancel()
        self._close_sockets()

    async def _replace_workers(self, report: Callable[[str], object]) -> None:
        for slot in self.slots:
            try:
                pid = await slot.replace()
            except (ChildNotReady, OSError) as error:
                _log.error("restart of workers failed, the former one stays: worker=%d reason=%s", slot.number, error)
                raise
            _log.info("worker replaced: worker=%d pid=%d", slot.number, pid)
            report(f"worker {slot.number} of {self._count} replaced: pid {pid}")

    async def _beat(self) -> None:
        """Shows that this loop runs, also while workers start and stop, until cancelled."""
        while True:
            self._ticked_at = time.monotonic()
            await asyncio.sleep(STATUS_S)

    async def _watch_workers(self) -> None:
        """Asks the workers for their status each second, until cancelled."""
        while True:
            await asyncio.sleep(STATUS_S)
            try:
                self._check_workers()
            except Exception:  # readiness depends on this task
                _log.exception("check of workers failed")

    def _check_workers(self) -> None:
        statuses = [slot.status for slot in self.slots]
        known = [status for status in statuses if status is not None]
        self.adapter_need.update(is_needed=any(status.needs_adapter for status in known))
        plans = {status.plan for status in known}
        if len(known) == self._count and len(plans) == 1 and plans != {self._plan}:
            self._plan = plans.pop()
            _log.info("all workers have the same plan: plan=%s workers=%d", self._plan, self._count)
        self._arrange_adoption()
        if len(known) == self._count and not self.list_unready_parts():
            self._balance([status.connections for status in known])
        for slot in self.slots:
            slot.request_status()

    def _balance(self, connections: Sequence[int]) -> None:
        """Makes workers with too many connections close some, unless workers are being replaced."""
        if self._is_restarting or self._ticked_at - self._balanced_at < BALANCE_S:
            return
        for slot, excess in zip(self.slots, find_excess(connections), strict=True):
            if excess:
                self._balanced_at = self._ticked_at
                _log.info("worker has too many connections, some are closed: worker=%d excess=%d", slot.number, excess)
                slot.reduce(excess)

    def _handle_sighup(self) -> None:
        for slot in self.slots:
            slot.supervisor.send_sighup()
        self._on_sighup()

    def _handle_restart_signal(self) -> None:
        if not self.ready.is_set() or self._is_restarting or self._stop.is_set():
            _log.warning("signal ignored, workers start or stop: signal=SIGUSR2")
        else:
            _log.info("workers are replaced: signal=SIGUSR2")
            self._restart = self._loop.create_task(self._replace_workers(lambda _: None))
            self._restart.add_done_callback(_ignore_logged_error)


def _ignore_logged_error(task: asyncio.Task[None]) -> None:
    """Marks the error of a restart as seen: `_replace_workers` has logged it."""
    if not task.cancelled():
        task.exception()


async def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
