"""How the jobs stand, as a gateway tells Prometheus: jobs have no port of their own, the ledger knows."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from relay.domain.jobs import JobsBook, JobState, seconds_since
from relay.domain.ledger import Unreachable

_log = logging.getLogger(__name__)

EVERY_S: Final = 15.0
_LOOK_S: Final = 5.0


class WatchedJobs:
    """Looks now and then at the jobs of these names. `clock` tells epoch seconds.

    Jobs that run only when somebody asks do not belong here: their success grows old without anything being wrong.
    """

    def __init__(self, book: JobsBook, names: Collection[str], clock: Callable[[], float]) -> None:
        self._book = book
        self._names = names
        self._clock = clock
        self._born = clock()
        self._states: Mapping[str, JobState] = {}
        self._silent = False

    def gauges(self) -> Mapping[str, Mapping[str, float]]:
        """By metric, then by job: failures in a row, seconds since the last success (since our start for never)."""
        now = self._clock()
        states = [self._states.get(name, JobState(name)) for name in self._names]
        return {
            "relay_job_failures": {state.name: float(state.failures) for state in states},
            "relay_job_success_age_seconds": {
                state.name: seconds_since(state.succeeded_at, self._born, now) for state in states
            },
        }

    async def look(self) -> None:
        """Look once. Raises what the ledger raises."""
        self._states = await self._book.jobs()

    async def follow(self, stop: asyncio.Event) -> None:
        """Look at once and each EVERY_S until `stop`; while the ledger is away what was seen last is told."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self.look()
            except (Unreachable, TimeoutError):
                _log.debug("the outage of the ledger is logged by itself")
            except Exception as error:  # whatever a driver raises
                if not self._silent:
                    _log.warning("the jobs' states could not be read (%s)", type(error).__name__)
                self._silent = True
            else:
                self._silent = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_S)
