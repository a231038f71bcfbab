"""The jobs as a process: leads when nobody else does, does what is due, takes settings anew while it runs."""

import asyncio
import logging
import os
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from relay.infra.ledger.sql_ledger import SqlLedger
from relay.jobs.runner import Runner
from relay.runtime.config import load
from relay.runtime.following import Following, yaml_files
from relay.runtime.labour import Labour, labour_of, leadership_of
from relay.runtime.ledgers import ledger_of
from relay.runtime.process import UNUSABLE

_log = logging.getLogger(__name__)

CONNECTIONS: Final = 4
"""Of the ledger's: jobs write little, and in turn."""


class JobsProcess:
    """Runs the jobs until it is told to stop."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._loaded = load(config, os.environ)
        self._stop = asyncio.Event()
        self._watched = set(self._loaded.files)
        self._following = Following(self._files)
        self._labours: list[Labour] = []

    async def run(self) -> None:
        """Serve until `stop`; then what runs is ended, and another instance may lead at once."""
        loop = asyncio.get_running_loop()
        settings = self._loaded.settings
        async with AsyncExitStack() as stack:
            ledger = ledger_of(settings.ledger.model_copy(update={"connections": CONNECTIONS}))
            stack.push_async_callback(ledger.close)
            await ledger.check()
            stack.push_async_callback(self._part, 0)
            self._labours.append(labour_of(self._loaded, ledger))
            leadership = await stack.enter_async_context(leadership_of(settings.jobs, ledger.jobs))
            jobs = self._labours[-1].jobs
            runner = Runner(jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            watching = self._following.run(settings.reload.watch_s, lambda: self.reload(runner, ledger))
            following, parting = loop.create_task(watching), loop.create_task(self._part_now_and_then())
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(name, self.stop)
            loop.add_signal_handler(signal.SIGHUP, self.reload, runner, ledger)
            _log.info("jobs ready: %s", ", ".join(job.name for job in jobs))
            await runner.follow(self._stop)
            following.cancel()
            await parting
        _log.info("jobs stopped")

    def stop(self) -> None:
        """Begin to stop."""
        self._stop.set()

    def reload(self, runner: Runner, ledger: SqlLedger) -> None:
        """Take the settings as they stand now; keep the last good ones when they cannot be used."""
        try:
            loaded = load(self._config, os.environ)
            self._watched.update(loaded.files)  # also those that cannot be used yet: their coming is news
            self._labours.append(labour_of(loaded, ledger))
        except UNUSABLE as error:
            _log.error("settings not taken by the jobs: %s", error)
        else:
            runner.take(self._labours[-1].jobs)
            self._loaded, self._watched = loaded, set(loaded.files)
            _log.info("jobs took plan %s", loaded.generation)
        self._following.seen()

    async def _part(self, kept: int) -> None:
        """Close the lines of all labours but the newest `kept`."""
        gone = self._labours[: len(self._labours) - kept]
        del self._labours[: len(gone)]
        for labour in gone:
            await labour.close()

    async def _part_now_and_then(self) -> None:
        """Former lines are closed when no job can be using them any more."""
        while not await _set_within(self._stop, PART_S):
            await self._part(1)

    def _files(self) -> list[Path]:
        return [*self._watched, *yaml_files(Path(self._loaded.settings.providers))]


PART_S: Final = 900.0
"""Longer than any job talks to anybody."""


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
