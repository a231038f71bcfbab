"""One process of the relay: listens, watches its files, drains when told to stop."""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from relay.admin.endpoints import application
from relay.admin.server import AdminServer
from relay.infra.authority.liveness import SILENT_S
from relay.infra.ledger.key_fingerprints import KeysUnfit
from relay.infra.ledger.schema import SchemaProblem
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.hangup_signal import allow_hangups
from relay.infra.records.metrics import registry_of
from relay.infra.tokens.revocation_feed import follow_authority
from relay.infra.upstream.tls import TlsError
from relay.policy.settings.model import Settings
from relay.runtime.processes.file_watch import Following, yaml_files
from relay.runtime.processes.listeners import Listening
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import ConfigProblems, SecretMissing, load
from relay.runtime.wiring.credentials import MaterialError
from relay.runtime.wiring.gateway import Relay, SettingsRead, waiting_for_a_start
from relay.runtime.wiring.ledger import LedgerUnfit
from relay.runtime.wiring.listener_limits import gateway_files

_log = logging.getLogger(__name__)

_TICK_S = 0.1
_SWEEP_S = 1.0
_LAST_S = 1.0
_FIRST_S = 1.0

UNUSABLE = (ConfigProblems, SecretMissing, MaterialError, TlsError, LedgerUnfit, SchemaProblem, KeysUnfit)
"""What settings can be found to be, before or while they are taken."""


class RelayProcess:
    """Serves one relay until it is told to stop."""

    def __init__(
        self, config: Path, hung_up: Callable[[], object] = lambda: None, log_lost: Callable[[], int] = lambda: 0
    ) -> None:
        self._config = config
        self._hung_up = hung_up
        self._loop = asyncio.get_running_loop()
        self.relay = Relay(load(config, os.environ), self._loop)
        self.relay.log_lost = log_lost
        self._listening = Listening(self.relay)
        settings = self.relay.loaded.settings
        admin = application(registry_of(self.relay.collector()), self._unready, self.relay.jwks, self.stalled_s)
        self.admin = AdminServer(admin, settings.admin.address, settings.admin.port)
        self._ticked = time.monotonic()
        self._stop = asyncio.Event()
        self._started = settings
        self._watched = set(self.relay.loaded.files)
        self._following = Following(self._files)
        self._reloader = Reloader("gateway", self._following, self._read, self._take, self._refuse, UNUSABLE)

    @property
    def ports(self) -> list[int]:
        """The ports of the listeners, in their order."""
        return self._listening.ports

    async def run(self) -> None:
        """Serve until `stop`; then drain."""
        relay, settings = self.relay, self.relay.loaded.settings
        raise_file_limit(gateway_files(relay.loaded))
        await relay.ledger.check()
        await relay.grants.start()
        await self._know_parties()
        relay.access_log.start()
        self.admin.start()
        self._listening.start()
        following = self._reloader.run(settings.reload.watch_s)
        listening = follow_authority(settings.authority.socket, relay.grants.hurry)
        tasks = [self._loop.create_task(work) for work in (self._tick(), following, listening)]
        done = asyncio.Event()
        hearing = [self._loop.create_task(relay.grants.follow(settings.ledger.poll_s, done))]
        hearing.append(self._loop.create_task(relay.tally.follow(settings.statistics.flush_s, done)))
        hearing.append(self._loop.create_task(relay.jobs.follow(done)))
        hearing.append(self._loop.create_task(relay.authority_liveness.follow(done)))
        if settings.portal is not None:
            following_portal = relay.registry.follow(settings.ledger.poll_s, done, relay.acquaint)
            hearing.append(self._loop.create_task(following_portal))
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._told_to_reload)
        allow_hangups()
        gc.set_threshold(5_000, 10, 10)  # calls leave no circles; connections that end do
        gc.collect()
        gc.freeze()  # what stands now stands for ever; the collector need not look at it again
        _log.info("ready: ports %s, admin %s, %d institutions, plan %s", self.ports, self.admin.port,
                  len(relay.gateway.plan.institutions), relay.gateway.plan.generation)  # fmt: skip
        await self._stop.wait()
        await self._drain(settings)
        for task in tasks:
            task.cancel()
        done.set()
        relay.grants.hurry()
        await asyncio.gather(*hearing, relay.grants.settle(), *tasks, return_exceptions=True)
        self.admin.stop()
        relay.records.close()
        if lacking := await relay.tally.settle():
            _log.warning("%d exchanges are counted on disk only, the next start brings them to the ledger", lacking)
        relay.access_log.stop()
        await relay.ledger.close()

    def stop(self) -> None:
        """Begin to stop; said twice, stop at once."""
        if self._stop.is_set():
            self._listening.abort()
        self._stop.set()

    def _told_to_reload(self) -> None:
        self._reloader.ask()
        self.relay.access_log.reopen()  # at once, whatever the settings do: the log may have been rotated
        self._hung_up()

    async def reload(self) -> None:
        """Take the settings as they stand now; keep the last good ones when they cannot be used."""
        self.relay.access_log.reopen()
        await self._reloader.reload()

    def _read(self) -> SettingsRead:
        loaded = load(self._config, os.environ)
        self._watched.update(loaded.files)  # also those that cannot be used yet: their coming is news
        return self.relay.read(loaded)

    def _take(self, read: SettingsRead) -> None:
        relay, loaded = self.relay, read.loaded
        relay.swap(read)
        self._watched = set(loaded.files)
        raise_file_limit(gateway_files(loaded))  # institutions may have come
        _log.info("plan %s taken", relay.gateway.plan.generation)
        if later := waiting_for_a_start(self._started, loaded.settings):
            _log.warning("changed, but taken at the next start only: %s", ", ".join(later))

    def _refuse(self, error: Exception) -> None:
        self._watched.update(getattr(error, "files", ()))
        self.relay.reload_failures += 1
        _log.error("settings not taken, plan %s stays: %s", self.relay.gateway.plan.generation, error)

    def stalled_s(self) -> float:
        """Seconds since the loop last turned, as another thread may ask."""
        return time.monotonic() - self._ticked

    def _files(self) -> list[Path]:
        return [*self._watched, *yaml_files(Path(self.relay.loaded.settings.providers))]

    def _unready(self) -> list[str]:
        if self._stop.is_set():
            return ["stopping"]
        grants = self.relay.grants
        silent = grants.is_wrong or grants.age > self.relay.loaded.settings.ledger.trust_s
        settings = self.relay.loaded.settings
        strangers = settings.portal is not None and not self.relay.registry.registry.number
        missing = (
            ("listeners", not self._listening.ports),
            ("ledger", silent),
            ("directory", strangers),
            ("authority", self.relay.authority_liveness.age > SILENT_S),
        )
        return [what for what, wrong in missing if wrong]

    async def _know_parties(self) -> None:
        """What the ledger's registry says already, before the first call; whoever leads the jobs fills it."""
        if self._started.portal is not None and await self.relay.registry.hear():
            await self.relay.acquaint(self.relay.registry.registry)

    async def _tick(self) -> None:
        swept = 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            now, self._ticked = self._loop.time(), time.monotonic()
            due = now - swept >= _SWEEP_S
            try:
                self._look_after(now, sweep=due)
            except Exception:  # every time limit hangs on this task
                _log.exception("looking after time limits failed")
            swept = now if due else swept

    def _look_after(self, now: float, *, sweep: bool) -> None:
        self.relay.watch.tick(now)
        if sweep:
            for _, pool in self.relay.pools.values():
                pool.sweep(now)

    async def _until(self, ends: float, reached: Callable[[], bool]) -> None:
        while self._loop.time() < ends and not reached() and not self._listening.aborted:  # noqa: ASYNC110 - three ends
            await asyncio.sleep(_TICK_S)

    async def _drain(self, settings: Settings) -> None:
        """Unready but serving, so that nobody sends new calls to a closed door; then finish what is in flight."""
        drain, gateway = settings.gateway.drain, self.relay.gateway
        gateway.draining = True
        _log.info("stopping: serving on for %.1f s", drain.delay_s)
        await self._until(self._loop.time() + drain.delay_s, lambda: False)
        await self._listening.close()
        begun = self._loop.time()
        await self._until(begun + _FIRST_S, lambda: not (gateway.in_flight or self._listening.expects_a_first_call()))
        await self._until(begun + drain.finish_s, lambda: not gateway.in_flight)
        unfinished = gateway.in_flight
        self._listening.abort()
        ends = self._loop.time() + _LAST_S
        while gateway.in_flight and self._loop.time() < ends:  # noqa: ASYNC110 - those cut off still have to be recorded
            await asyncio.sleep(0)
        _log.info("stopped with %d calls in flight", unfinished)
