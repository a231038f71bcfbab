"""The jobs process: campaigns for leadership, runs due jobs, reloads changed settings."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from relay.infra.process.interpreter import share_interpreter
from relay.infra.process.start_signals import allow_hangups
from relay.jobs.runner import Runner
from relay.runtime.processes.child_stops import handle_stops
from relay.runtime.processes.reload import Reloader
from relay.runtime.settings.loading import LoadedSettings, load_settings
from relay.runtime.wiring.jobs import JobSet, build_job_set, open_leadership
from relay.runtime.wiring.ledger import build_ledger

_log = logging.getLogger(__name__)

CONNECTIONS: Final = 4
"""Connections to the ledger: jobs write little, one after the other."""
REPLACED_S: Final = 7200.0
"""A replaced job set is closed after this: no job takes longer (80 messages of 지원-005, a minute each)."""
CHECK_S: Final = 60.0


class JobsProcess:
    """Runs the jobs until `stop`. A reload replaces the job set; see `Reloader`."""

    name = "jobs"

    def __init__(self, config: Path, *, is_child: bool = False) -> None:
        self._is_child = is_child
        self.reloader = Reloader(self, config, load_settings(config, os.environ), warns=not is_child)
        self._stop = asyncio.Event()
        self._job_sets: list[tuple[float, JobSet]] = []
        """Each with the time when it was replaced (monotonic seconds), infinity for the current one."""

    async def run(self) -> None:
        """Runs jobs until `stop`; then ends the running job and resigns, so that another instance may lead at once."""
        loop = asyncio.get_running_loop()
        settings = self.reloader.loaded.settings
        share_interpreter()
        handle_stops(self.name, self.stop, settings.gateway.drain if self._is_child else None)
        async with AsyncExitStack() as stack:
            self._ledger = ledger = build_ledger(settings.ledger.model_copy(update={"connections": CONNECTIONS}))
            stack.push_async_callback(ledger.close)
            await ledger.check()
            stack.push_async_callback(self._close_replaced, float("inf"))
            job_set = self.prepare(self.reloader.loaded)
            self._add_job_set(job_set)
            leadership = await stack.enter_async_context(open_leadership(settings.jobs, ledger.jobs))
            self._runner = Runner(job_set.jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            reloading = self.reloader.run(settings.reload.watch_s)
            tasks = [loop.create_task(work) for work in (reloading, self._close_replaced_periodically())]
            stack.push_async_callback(_cancel, tasks)
            loop.add_signal_handler(signal.SIGHUP, self.reloader.request)
            allow_hangups()
            _log.info("jobs ready: jobs=%s", ",".join(job.name for job in job_set.jobs))
            await self._runner.follow(self._stop)
        _log.info("jobs stopped")

    def stop(self) -> None:
        """Starts to stop."""
        self._stop.set()

    def prepare(self, loaded: LoadedSettings) -> JobSet:
        """Returns the jobs of these settings. Changes nothing and is safe on a thread. Raises SETTINGS_ERRORS."""
        return build_job_set(loaded, self._ledger)

    def join_registry(self, prepared: JobSet) -> JobSet:
        """Returns the job set as it is: jobs read the registry from the ledger."""
        return prepared

    def prepare_token_keys(self) -> None:
        """Returns None: jobs use no token keys."""

    def commit(self, prepared: JobSet) -> None:
        """Puts a job set in force. Running jobs end with their former settings."""
        self._add_job_set(prepared)
        self._runner.replace_jobs(prepared.jobs)

    def _add_job_set(self, job_set: JobSet) -> None:
        """Adds the current job set; the former one counts as replaced from now on."""
        self._job_sets = [(min(replaced_at, time.monotonic()), former) for replaced_at, former in self._job_sets]
        self._job_sets.append((float("inf"), job_set))

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


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
