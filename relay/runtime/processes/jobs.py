"""The jobs as a process: leads when nobody else does, does what is due, takes settings anew while it runs."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.process.hangup_signal import allow_hangups
from relay.jobs.runner import Job, Runner
from relay.runtime.processes.file_watch import Following, yaml_files
from relay.runtime.processes.gateway import UNUSABLE
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import load
from relay.runtime.wiring.expired_certificates import Certificates, certificates_of, expect_new_unexpired
from relay.runtime.wiring.jobs import JobFiles, Labour, labour_of, leadership_of, open_job_files
from relay.runtime.wiring.ledger import ledger_of

_log = logging.getLogger(__name__)

CONNECTIONS: Final = 4
"""Of the ledger's: jobs write little, and in turn."""
PART_S: Final = 7200.0
"""Longer than any job talks to anybody: 80 messages of 지원-005 to a portal that takes a minute for each."""
LOOK_S: Final = 60.0


class JobsProcess:
    """Runs the jobs until it is told to stop."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._loaded = load(config, os.environ)
        self._stop = asyncio.Event()
        self._watched = set(self._loaded.files)
        self._following = Following(self._files)
        self._certificates = certificates_of(self._loaded)
        self._labours: list[tuple[float, Labour]] = []

    async def run(self) -> None:
        """Serve until `stop`; then what runs is ended, and another instance may lead at once."""
        loop = asyncio.get_running_loop()
        settings = self._loaded.settings
        async with AsyncExitStack() as stack:
            ledger = ledger_of(settings.ledger.model_copy(update={"connections": CONNECTIONS}))
            stack.push_async_callback(ledger.close)
            await ledger.check()
            stack.push_async_callback(self._part, float("inf"))
            jobs = self._begin(labour_of(self._loaded, ledger))
            leadership = await stack.enter_async_context(leadership_of(settings.jobs, ledger.jobs))
            runner = Runner(jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            reloader = self._reloader(runner, ledger)
            watching = reloader.run(settings.reload.watch_s)
            beside = [loop.create_task(work) for work in (watching, self._part_now_and_then())]
            stack.push_async_callback(_ended, beside)
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, self.stop)
            loop.add_signal_handler(signal.SIGHUP, reloader.ask)
            allow_hangups()
            _log.info("jobs ready: %s", ", ".join(job.name for job in jobs))
            await runner.follow(self._stop)
        _log.info("jobs stopped")

    def stop(self) -> None:
        """Begin to stop."""
        self._stop.set()

    def _reloader(self, runner: Runner, ledger: SqlLedger) -> "Reloader[tuple[JobFiles, Certificates]]":
        def take(read: tuple[JobFiles, Certificates]) -> None:
            files, self._certificates = read
            runner.take(self._begin(labour_of(files.loaded, ledger, files)))
            self._loaded, self._watched = files.loaded, set(files.loaded.files)
            _log.info("jobs took plan %s", files.loaded.generation)

        return Reloader("jobs", self._following, self._read, take, self._refuse, UNUSABLE)

    def _read(self) -> tuple[JobFiles, Certificates]:
        loaded = load(self._config, os.environ)
        self._watched.update(loaded.files)  # also those that cannot be used yet: their coming is news
        files, certificates = open_job_files(loaded), certificates_of(loaded)
        expect_new_unexpired(self._certificates, certificates, datetime.now(UTC))
        return files, certificates

    def _refuse(self, error: Exception) -> None:
        self._watched.update(getattr(error, "files", ()))
        _log.error("settings not taken by the jobs: %s", error)

    def _begin(self, labour: Labour) -> tuple[Job, ...]:
        """Its jobs; the former labour was replaced at this moment."""
        self._labours = [(min(replaced, time.monotonic()), former) for replaced, former in self._labours]
        self._labours.append((float("inf"), labour))
        return labour.jobs

    async def _part(self, moment: float) -> None:
        """Close the lines of labours that were replaced by `moment` (monotonic seconds)."""
        gone = [labour for replaced, labour in self._labours if replaced <= moment]
        self._labours = [(replaced, labour) for replaced, labour in self._labours if replaced > moment]
        for labour in gone:
            await labour.close()

    async def _part_now_and_then(self) -> None:
        """Former lines are closed when no job can be using them any more."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self._part(time.monotonic() - PART_S)

    def _files(self) -> list[Path]:
        return [*self._watched, *yaml_files(Path(self._loaded.settings.providers))]


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
