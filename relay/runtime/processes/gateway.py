"""The gateway process: listens, reloads changed settings, drains before it stops."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from relay.admin.endpoints import PAUSE_S, build_admin_application
from relay.admin.server import AdminServer
from relay.infra.authority.liveness import SILENT_S
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.garbage import GarbageCollection
from relay.infra.process.heap import Heap
from relay.infra.process.interpreter import share_interpreter
from relay.infra.process.start_signals import STOPS, allow_hangups
from relay.infra.tokens.revocation_feed import follow_revocations
from relay.policy.settings.stop_time import CUT_S, DELIVERY_S, FOLLOWERS_S, LEDGER_S
from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.processes.adapter_need import AdapterNeed
from relay.runtime.processes.listeners import GatewayListeners
from relay.runtime.processes.reload import Reloader
from relay.runtime.processes.sockets import bind_socket, name_owner
from relay.runtime.settings.loading import LoadedSettings, load_settings
from relay.runtime.settings.worker_settings import apply_share
from relay.runtime.wiring.gateway import Relay

_log = logging.getLogger(__name__)

_TICK_S = 0.1
_SWEEP_S = 1.0
_FIRST_S = 1.0


class GatewayProcess:
    """Runs one gateway until `stop`; `on_sighup` passes SIGHUP on to the child processes.

    `on_second_stop` is called before a second `stop` ends it at once: a service manager may have signalled them too.

    A worker has the limits of its `share` and the bound `sockets` of its listeners; its parent has the admin port.
    """

    def __init__(
        self,
        config: Path,
        on_sighup: Callable[[], object] = lambda: None,
        lost_log_lines: Callable[[], int] = lambda: 0,
        share: WorkerShare | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self._on_sighup = on_sighup
        self.on_second_stop: Callable[[], object] = lambda: None
        self._loop = asyncio.get_running_loop()
        self._share = share
        loaded = apply_share(load_settings(config, os.environ), share)
        settings = self._start_settings = loaded.settings
        self.relay = Relay(loaded, self._loop, is_worker=share is not None)
        self.relay.lost_log_lines = lost_log_lines
        self.adapter_need = AdapterNeed(is_needed=loaded.needs_adapter)
        self.reloader = Reloader(self.relay, config, loaded, share=share, on_applied=self._update_adapter_need)
        self.relay.count_reloads = lambda: (self.reloader.applied, self.reloader.rejected)
        self.listeners = GatewayListeners(self.relay, sockets)
        self._admin_socket: socket.socket | None = None
        admin = build_admin_application(
            self._write_metrics, self.list_unready_parts, self.relay.jwks, self.stalled_s, settings.health.stall_s
        )
        self.admin = AdminServer(admin, settings.admin.address, settings.admin.port)
        self._garbage = GarbageCollection()
        self._heap = Heap()
        self._ticked_at = time.monotonic()
        self._stop = asyncio.Event()
        self._is_retired = False

    @property
    def ports(self) -> list[int]:
        """The ports of the listeners in the order of the settings."""
        return self.listeners.ports

    async def open_sockets(self) -> None:
        """Binds all addresses, before anything else is touched: a second relay is refused here. Raises OSError."""
        self.listeners.bind()
        if self._share is None:
            admin = self._start_settings.admin
            self._admin_socket = bind_socket(admin.address, admin.port, "admin.port")

    def close_sockets(self) -> None:
        """Closes what `open_sockets` has bound."""
        self.listeners.unbind()
        if self._admin_socket is not None:
            self._admin_socket.close()

    async def run(self) -> None:
        """Serves until `stop`, then drains. Raises OSError when an address is taken."""
        self._handle_stops()
        try:
            if not self.listeners.is_bound:
                await self.open_sockets()
            await self._serve()
        finally:
            self.close_sockets()

    async def _serve(self) -> None:
        relay, settings = self.relay, self.relay.loaded.settings
        share_interpreter()
        raise_file_limit(relay.state.max_files)
        await relay.ledger.check()
        await relay.grants.start()
        await relay.transfers.start()
        await self._load_parties()
        await relay.counters.start()
        relay.access_log.start()
        relay.answers.start()
        if self._admin_socket is not None:
            self._ticked_at = time.monotonic()  # the start may have taken longer than a stall
            with name_owner(settings.admin.address, self.admin.port, "admin.port"):
                self.admin.start(self._admin_socket)
        self.listeners.start()
        reloading = self.reloader.run(settings.reload.watch_s)
        revocations = follow_revocations(settings.authority.socket, relay.grants.refresh_soon)
        tasks = [self._loop.create_task(work) for work in (self.watch_time_limits(), reloading, revocations)]
        done = asyncio.Event()
        quotas = self._loop.create_task(relay.counters.run())
        followers = [self._loop.create_task(relay.grants.follow(settings.ledger.poll_s, done))]
        followers.append(self._loop.create_task(relay.counter.run(settings.statistics.flush_s, done)))
        followers.append(self._loop.create_task(relay.transfers.follow(settings.ledger.poll_s, done)))
        followers.append(self._loop.create_task(relay.jobs.follow(done)))
        followers.append(self._loop.create_task(relay.authority_liveness.follow(done)))
        followers.append(self._loop.create_task(relay.adapter_liveness.follow(done)))
        if settings.portal is not None:
            registry = relay.registry.follow(settings.ledger.poll_s, done, relay.apply_registry)
            followers.append(self._loop.create_task(registry))
        self._loop.add_signal_handler(signal.SIGHUP, self._handle_sighup)
        allow_hangups()
        self._garbage.start()
        self._heap.start()
        relay.loop_lag.start()
        is_known = not self._stop.is_set()  # to load balancers: it was not stopped during its start
        self._log_ready()
        await self._stop.wait()
        await self._drain(settings.gateway.drain.delay_s if is_known else 0.0, settings.gateway.drain.finish_s)
        done.set()
        relay.grants.refresh_soon()
        followers.append(self._loop.create_task(relay.grants.settle()))
        await self._close([*tasks, quotas], followers)

    async def _close(self, tasks: Sequence[asyncio.Task[None]], followers: Sequence[asyncio.Task[None]]) -> None:
        """Ends the tasks, stores counts and records. Each step has a limit: see `stop_time`."""
        for task in tasks:
            task.cancel()
        _, running = await asyncio.wait([*tasks, *followers], timeout=FOLLOWERS_S)
        for task in running:  # a query to a ledger that does not answer
            task.cancel()
        self.relay.records.close()
        await asyncio.gather(
            self._settle(),
            self._settle_transfers(),
            *map(asyncio.to_thread, (self.admin.stop, self.relay.access_log.stop, self.relay.answers.stop)),
        )
        self.relay.loop_lag.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.relay.ledger.close(), LEDGER_S)

    async def _settle_transfers(self) -> None:
        """Stores the last scheduled transfers."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.relay.transfers.settle(), DELIVERY_S)

    async def _settle(self) -> None:
        """Delivers the last counts. What the ledger does not take at once is in the spool."""
        try:
            undelivered = await asyncio.wait_for(self.relay.counter.settle(), DELIVERY_S)
        except TimeoutError:
            _log.error("last counts not stored in time, the access records have them: limit_s=%.1f", DELIVERY_S)
        else:
            if undelivered:
                _log.warning("exchanges counted on disk only, the next start delivers them: exchanges=%d", undelivered)

    def _handle_stops(self) -> None:
        for name in STOPS:
            # a service manager may signal a worker beside its parent: only the parent ends it at once
            self._loop.add_signal_handler(name, self.stop if self._share is None else self.drain)

    def stop(self) -> None:
        """Starts to drain; a second call stops at once."""
        if self._stop.is_set():
            self.on_second_stop()
            self.abort()
        self.drain()

    def drain(self) -> None:
        """Starts to drain."""
        self._stop.set()

    def abort(self) -> None:
        """Ends at once: calls in flight are cut."""
        self._stop.set()
        self.listeners.abort()

    async def retire(self) -> None:
        """Accepts no more connections: a successor does, or the parent has ended."""
        self._is_retired = True
        await self.listeners.stop_accepting()

    def _log_ready(self) -> None:
        plan = self.relay.gateway.plan
        if self._share is not None:
            institutions = len(plan.institutions)
            _log.info("worker ready: pid=%d institutions=%d plan=%s", os.getpid(), institutions, plan.fingerprint)
            return
        _log.info("gateway ready: ports=%s admin_port=%s institutions=%d plan=%s", self.ports, self.admin.port,
                  len(plan.institutions), plan.fingerprint)  # fmt: skip

    def _handle_sighup(self) -> None:
        self.reloader.request()
        self.relay.access_log.reopen()  # even if the reload fails: the log may have been rotated
        self._on_sighup()

    def _update_adapter_need(self, loaded: LoadedSettings) -> None:
        """Starts the adapter when it is needed first. The parent of workers does it for all."""
        if self._share is None:
            self.adapter_need.update(is_needed=loaded.needs_adapter)

    async def reload(self) -> None:
        """Applies the current settings; keeps the last good ones when they cannot be used."""
        self.relay.access_log.reopen()
        await self.reloader.reload()

    async def _write_metrics(self) -> Iterator[bytes]:
        return self.relay.collector().write()

    async def render_metrics(self) -> bytes:
        """Returns the metrics as one text, written in pieces with pauses in which calls are served."""
        pieces = []
        for piece in await self._write_metrics():
            pieces.append(piece)
            await asyncio.sleep(PAUSE_S)
        return b"".join(pieces)

    def stalled_s(self) -> float:
        """Returns seconds since the event loop last ran; safe on other threads."""
        return time.monotonic() - self._ticked_at

    def list_unready_parts(self) -> list[str]:
        """Returns the names of parts that cannot serve yet or any more, as /readyz shows them."""
        if self._stop.is_set():
            return ["stopping"]
        grants = self.relay.grants
        settings = self.relay.loaded.settings
        is_ledger_stale = grants.is_wrong or grants.age > settings.ledger.trust_s
        is_registry_empty = settings.portal is not None and not self.relay.registry.registry.number
        parts = (
            ("listeners", not self.listeners.ports),
            ("ledger", is_ledger_stale),
            ("directory", is_registry_empty),
            ("authority", self.relay.authority_liveness.age > SILENT_S),
            ("adapter", self.relay.adapter_liveness.age > SILENT_S),
        )
        return [part for part, is_unready in parts if is_unready]

    async def _load_parties(self) -> None:
        """Applies the registry in the ledger before the first call; the leader of the jobs fills it."""
        if self._start_settings.portal is not None and await self.relay.registry.poll():
            await self.relay.apply_registry(self.relay.registry.registry)

    async def watch_time_limits(self) -> None:
        """Ends what exceeds its time limit and returns memory, every `_TICK_S`, until cancelled."""
        swept_at = 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            now, self._ticked_at = self._loop.time(), time.monotonic()
            is_sweep_due = now - swept_at >= _SWEEP_S
            try:
                self._run_periodic_work(now, sweep=is_sweep_due)
            except Exception:  # every time limit depends on this task
                _log.exception("check of time limits failed")
            swept_at = now if is_sweep_due else swept_at

    def _run_periodic_work(self, now: float, *, sweep: bool) -> None:
        self.relay.watch.tick(now)
        self._garbage.tick(now)
        registry = self.relay.connection_registry
        self._heap.tick(registry.ended, len(registry.connections))
        if sweep:
            for _, pool in self.relay.pools.values():
                pool.close_expired(now)

    async def _wait_until(self, deadline: float, is_reached: Callable[[], bool]) -> None:
        while self._loop.time() < deadline and not is_reached() and not self.listeners.aborted:  # noqa: ASYNC110 - three ends
            await asyncio.sleep(_TICK_S)

    async def _drain(self, delay_s: float, finish_s: float) -> None:
        """Serves on while /readyz fails, so that load balancers move on; then finishes calls in flight."""
        gateway = self.relay.gateway
        gateway.is_draining = True
        _log.info("gateway stopping, serves on: delay_s=%.1f", delay_s)
        connections = self.relay.connection_registry.connections
        await self._wait_until(self._loop.time() + delay_s, lambda: self._is_retired and not connections)
        await self.listeners.close()
        closed_at = self._loop.time()
        await self._wait_until(
            closed_at + min(_FIRST_S, finish_s),
            lambda: not (gateway.in_flight or self.listeners.has_unused_connections()),
        )
        await self._wait_until(closed_at + finish_s, lambda: not gateway.in_flight)
        unfinished = gateway.in_flight
        self.listeners.abort()
        deadline = self._loop.time() + CUT_S
        while gateway.in_flight and self._loop.time() < deadline:  # noqa: ASYNC110 - aborted calls are still recorded
            await asyncio.sleep(0)
        _log.info("gateway stopped: calls_in_flight=%d", unfinished)
