"""The jobs process: campaigns for leadership, runs due jobs, reloads changed settings."""

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
from relay.runtime.processes.file_watch import FileWatch, list_yaml_files
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.expired_certificates import Certificates, check_new_certificates, read_certificates
from relay.runtime.wiring.jobs import JobFiles, JobSet, build_job_set, open_job_files, open_leadership
from relay.runtime.wiring.ledger import build_ledger

_log = logging.getLogger(__name__)

CONNECTIONS: Final = 4
"""Connections to the ledger: jobs write little, one after the other."""
REPLACED_S: Final = 7200.0
"""A replaced job set is closed after this: no job takes longer (80 messages of 지원-005, a minute each)."""
CHECK_S: Final = 60.0


class JobsProcess:
    """Runs the jobs until `stop`."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._loaded = load_settings(config, os.environ)
        self._stop = asyncio.Event()
        self._watched_files = set(self._loaded.files)
        self._file_watch = FileWatch(self._list_files)
        self._certificates = read_certificates(self._loaded)
        self._job_sets: list[tuple[float, JobSet]] = []
        """Each with the time when it was replaced (monotonic seconds), infinity for the current one."""

    async def run(self) -> None:
        """Runs jobs until `stop`; then ends the running job and resigns, so that another instance may lead at once."""
        loop = asyncio.get_running_loop()
        settings = self._loaded.settings
        async with AsyncExitStack() as stack:
            ledger = build_ledger(settings.ledger.model_copy(update={"connections": CONNECTIONS}))
            stack.push_async_callback(ledger.close)
            await ledger.check()
            stack.push_async_callback(self._close_replaced, float("inf"))
            jobs = self._add_job_set(build_job_set(self._loaded, ledger))
            leadership = await stack.enter_async_context(open_leadership(settings.jobs, ledger.jobs))
            runner = Runner(jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            reloader = self._reloader(runner, ledger)
            reloading = reloader.run(settings.reload.watch_s)
            tasks = [loop.create_task(work) for work in (reloading, self._close_replaced_periodically())]
            stack.push_async_callback(_cancel, tasks)
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, self.stop)
            loop.add_signal_handler(signal.SIGHUP, reloader.request)
            allow_hangups()
            _log.info("jobs ready: jobs=%s", ",".join(job.name for job in jobs))
            await runner.follow(self._stop)
        _log.info("jobs stopped")

    def stop(self) -> None:
        """Starts to stop."""
        self._stop.set()

    def _reloader(self, runner: Runner, ledger: SqlLedger) -> "Reloader[tuple[JobFiles, Certificates]]":
        def apply(opened: tuple[JobFiles, Certificates]) -> None:
            files, self._certificates = opened
            runner.replace_jobs(self._add_job_set(build_job_set(files.loaded, ledger, files)))
            self._loaded, self._watched_files = files.loaded, set(files.loaded.files)
            _log.info("settings applied: role=jobs plan=%s", files.loaded.generation)

        return Reloader("jobs", self._file_watch, self._read, apply, self._reject, SETTINGS_ERRORS)

    def _read(self) -> tuple[JobFiles, Certificates]:
        loaded = load_settings(self._config, os.environ)
        self._watched_files.update(loaded.files)  # also files that are missing: they trigger a reload when they appear
        files, certificates = open_job_files(loaded), read_certificates(loaded)
        check_new_certificates(self._certificates, certificates, datetime.now(UTC))
        return files, certificates

    def _reject(self, error: Exception) -> None:
        self._watched_files.update(getattr(error, "files", ()))
        _log.error("settings rejected, plan stays: role=jobs plan=%s reason=%s", self._loaded.generation, error)

    def _add_job_set(self, job_set: JobSet) -> tuple[Job, ...]:
        """Returns its jobs; the former job set counts as replaced from now on."""
        self._job_sets = [(min(replaced_at, time.monotonic()), former) for replaced_at, former in self._job_sets]
        self._job_sets.append((float("inf"), job_set))
        return job_set.jobs

    async def _close_replaced(self, until: float) -> None:
        """Closes connections of job sets that were replaced by `until` (monotonic seconds)."""
        replaced = [job_set for replaced_at, job_set in self._job_sets if replaced_at <= until]
        self._job_sets = [(replaced_at, job_set) for replaced_at, job_set in self._job_sets if replaced_at > until]
        for job_set in replaced:
            await job_set.close()

    async def _close_replaced_periodically(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            await self._close_replaced(time.monotonic() - REPLACED_S)

    def _list_files(self) -> list[Path]:
        return [*self._watched_files, *list_yaml_files(Path(self._loaded.settings.providers))]


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
