"""The gateway process: listens, reloads changed settings, drains before it stops."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from relay.admin.endpoints import build_admin_application
from relay.admin.server import AdminServer
from relay.infra.authority.liveness import SILENT_S
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.hangup_signal import allow_hangups
from relay.infra.records.metrics import build_metrics_registry
from relay.infra.tokens.revocation_feed import follow_revocations
from relay.policy.settings.model import Settings
from relay.runtime.processes.file_watch import FileWatch, list_yaml_files
from relay.runtime.processes.listeners import GatewayListeners
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.gateway import OpenedSettings, Relay, sections_needing_restart
from relay.runtime.wiring.listener_limits import max_gateway_files

_log = logging.getLogger(__name__)

_TICK_S = 0.1
_SWEEP_S = 1.0
_LAST_S = 1.0
_FIRST_S = 1.0


class GatewayProcess:
    """Runs one gateway until `stop`; `on_sighup` passes SIGHUP on to the child processes."""

    def __init__(
        self,
        config: Path,
        on_sighup: Callable[[], object] = lambda: None,
        lost_log_lines: Callable[[], int] = lambda: 0,
    ) -> None:
        self._config = config
        self._on_sighup = on_sighup
        self._loop = asyncio.get_running_loop()
        self.relay = Relay(load_settings(config, os.environ), self._loop)
        self.relay.lost_log_lines = lost_log_lines
        self._listeners = GatewayListeners(self.relay)
        settings = self.relay.loaded.settings
        admin = build_admin_application(
            build_metrics_registry(self.relay.collector()), self._unready_parts, self.relay.jwks, self.stalled_s
        )
        self.admin = AdminServer(admin, settings.admin.address, settings.admin.port)
        self._ticked_at = time.monotonic()
        self._stop = asyncio.Event()
        self._start_settings = settings
        self._watched_files = set(self.relay.loaded.files)
        self._file_watch = FileWatch(self._list_files)
        self._reloader = Reloader("gateway", self._file_watch, self._read, self._apply, self._reject, SETTINGS_ERRORS)

    @property
    def ports(self) -> list[int]:
        """The ports of the listeners in the order of the settings."""
        return self._listeners.ports

    async def run(self) -> None:
        """Serves until `stop`, then drains."""
        relay, settings = self.relay, self.relay.loaded.settings
        raise_file_limit(max_gateway_files(relay.loaded))
        await relay.ledger.check()
        await relay.grants.start()
        await self._load_parties()
        relay.access_log.start()
        self.admin.start()
        self._listeners.start()
        reloading = self._reloader.run(settings.reload.watch_s)
        revocations = follow_revocations(settings.authority.socket, relay.grants.refresh_soon)
        tasks = [self._loop.create_task(work) for work in (self._tick(), reloading, revocations)]
        done = asyncio.Event()
        followers = [self._loop.create_task(relay.grants.follow(settings.ledger.poll_s, done))]
        followers.append(self._loop.create_task(relay.tally.follow(settings.statistics.flush_s, done)))
        followers.append(self._loop.create_task(relay.jobs.follow(done)))
        followers.append(self._loop.create_task(relay.authority_liveness.follow(done)))
        if settings.portal is not None:
            registry = relay.registry.follow(settings.ledger.poll_s, done, relay.apply_registry)
            followers.append(self._loop.create_task(registry))
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._handle_sighup)
        allow_hangups()
        gc.set_threshold(5_000, 10, 10)  # calls leave no reference cycles; closed connections do
        gc.collect()
        gc.freeze()  # objects made at the start are never freed: keep them out of collections
        _log.info("gateway ready: ports=%s admin_port=%s institutions=%d plan=%s", self.ports, self.admin.port,
                  len(relay.gateway.plan.institutions), relay.gateway.plan.generation)  # fmt: skip
        await self._stop.wait()
        await self._drain(settings)
        for task in tasks:
            task.cancel()
        done.set()
        relay.grants.refresh_soon()
        await asyncio.gather(*followers, relay.grants.settle(), *tasks, return_exceptions=True)
        self.admin.stop()
        relay.records.close()
        if undelivered := await relay.tally.settle():
            _log.warning("exchanges counted on disk only, the next start delivers them: exchanges=%d", undelivered)
        relay.access_log.stop()
        await relay.ledger.close()

    def stop(self) -> None:
        """Starts to drain; a second call stops at once."""
        if self._stop.is_set():
            self._listeners.abort()
        self._stop.set()

    def _handle_sighup(self) -> None:
        self._reloader.request()
        self.relay.access_log.reopen()  # even if the reload fails: the log may have been rotated
        self._on_sighup()

    async def reload(self) -> None:
        """Applies the current settings; keeps the last good ones when they cannot be used."""
        self.relay.access_log.reopen()
        await self._reloader.reload()

    def _read(self) -> OpenedSettings:
        loaded = load_settings(self._config, os.environ)
        self._watched_files.update(loaded.files)  # also files that are missing: they trigger a reload when they appear
        return self.relay.open_settings(loaded)

    def _apply(self, opened: OpenedSettings) -> None:
        relay, loaded = self.relay, opened.loaded
        relay.swap(opened)
        self._watched_files = set(loaded.files)
        raise_file_limit(max_gateway_files(loaded))  # new institutions need more
        _log.info("settings applied: role=gateway plan=%s", relay.gateway.plan.generation)
        if sections := sections_needing_restart(self._start_settings, loaded.settings):
            _log.warning("settings changed that need a restart: sections=%s", ",".join(sections))

    def _reject(self, error: Exception) -> None:
        self._watched_files.update(getattr(error, "files", ()))
        self.relay.reload_failures += 1
        plan = self.relay.gateway.plan.generation
        _log.error("settings rejected, plan stays: role=gateway plan=%s reason=%s", plan, error)

    def stalled_s(self) -> float:
        """Returns seconds since the event loop last ran; safe on other threads."""
        return time.monotonic() - self._ticked_at

    def _list_files(self) -> list[Path]:
        return [*self._watched_files, *list_yaml_files(Path(self.relay.loaded.settings.providers))]

    def _unready_parts(self) -> list[str]:
        if self._stop.is_set():
            return ["stopping"]
        grants = self.relay.grants
        settings = self.relay.loaded.settings
        is_ledger_stale = grants.is_wrong or grants.age > settings.ledger.trust_s
        is_registry_empty = settings.portal is not None and not self.relay.registry.registry.number
        parts = (
            ("listeners", not self._listeners.ports),
            ("ledger", is_ledger_stale),
            ("directory", is_registry_empty),
            ("authority", self.relay.authority_liveness.age > SILENT_S),
        )
        return [part for part, is_unready in parts if is_unready]

    async def _load_parties(self) -> None:
        """Applies the registry in the ledger before the first call; the leader of the jobs fills it."""
        if self._start_settings.portal is not None and await self.relay.registry.poll():
            await self.relay.apply_registry(self.relay.registry.registry)

    async def _tick(self) -> None:
        swept_at = 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            now, self._ticked_at = self._loop.time(), time.monotonic()
            is_sweep_due = now - swept_at >= _SWEEP_S
            try:
                self._check_time_limits(now, sweep=is_sweep_due)
            except Exception:  # every time limit depends on this task
                _log.exception("check of time limits failed")
            swept_at = now if is_sweep_due else swept_at

    def _check_time_limits(self, now: float, *, sweep: bool) -> None:
        self.relay.watch.tick(now)
        if sweep:
            for _, pool in self.relay.pools.values():
                pool.close_expired(now)

    async def _wait_until(self, deadline: float, is_reached: Callable[[], bool]) -> None:
        while self._loop.time() < deadline and not is_reached() and not self._listeners.aborted:  # noqa: ASYNC110 - three ends
            await asyncio.sleep(_TICK_S)

    async def _drain(self, settings: Settings) -> None:
        """Serves on while /readyz fails, so that load balancers move on; then finishes calls in flight."""
        drain, gateway = settings.gateway.drain, self.relay.gateway
        gateway.is_draining = True
        _log.info("gateway stopping, serves on: delay_s=%.1f", drain.delay_s)
        await self._wait_until(self._loop.time() + drain.delay_s, lambda: False)
        await self._listeners.close()
        closed_at = self._loop.time()
        await self._wait_until(
            closed_at + _FIRST_S, lambda: not (gateway.in_flight or self._listeners.has_unused_connections())
        )
        await self._wait_until(closed_at + drain.finish_s, lambda: not gateway.in_flight)
        unfinished = gateway.in_flight
        self._listeners.abort()
        deadline = self._loop.time() + _LAST_S
        while gateway.in_flight and self._loop.time() < deadline:  # noqa: ASYNC110 - aborted calls are still recorded
            await asyncio.sleep(0)
        _log.info("gateway stopped: calls_in_flight=%d", unfinished)
