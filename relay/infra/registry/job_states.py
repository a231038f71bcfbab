"""Job states for the gateway's metrics: the jobs process has no port, so gateways read the ledger."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final

from relay.domain.jobs import JobState, JobStore, seconds_since
from relay.domain.ledger import LedgerDown
from relay.primitives.event_wait import wait_for_event

_log = logging.getLogger(__name__)

EVERY_S: Final = 15.0
POLL_TIMEOUT_S: Final = 5.0
"""Timeout for the ledger."""


class JobStateWatcher:
    """Polls the states of these jobs. `clock` returns epoch seconds, `every_s` is the pause between two polls.

    Jobs that run only on request do not belong here: their last success may be old without a fault.
    """

    def __init__(
        self,
        store: JobStore,
        names: Collection[str],
        clock: Callable[[], float],
        every_s: float = EVERY_S,
        poll_timeout_s: float = POLL_TIMEOUT_S,
    ) -> None:
        self._store = store
        self._names = names
        self.clock = clock
        self._every_s = every_s
        self._poll_timeout_s = poll_timeout_s
        self._started_at = clock()
        self._states: Mapping[str, JobState] = {}
        self._is_failing = False

    def gauges(self) -> Mapping[str, Mapping[str, float]]:
        """Returns by metric, then by job: failures in a row, seconds since the last success (or process start)."""
        now = self.clock()
        states = [self._states.get(name, JobState(name)) for name in self._names]
        return {
            "relay_job_failures": {state.name: float(state.failures) for state in states},
            "relay_job_success_age_seconds": {
                state.name: seconds_since(state.succeeded_at, self._started_at, now) for state in states
            },
        }

    async def poll(self) -> None:
        """Polls once. Raises errors of the ledger."""
        self._states = await self._store.load_states()

    async def follow(self, stop: asyncio.Event) -> None:
        """Polls at once and each `every_s` until `stop`; while the ledger is unavailable the last states stay."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(self._poll_timeout_s):
                    await self.poll()
            except (LedgerDown, TimeoutError):
                _log.debug("the ledger logs its outage itself")
            except Exception as error:  # any error of a driver
                if not self._is_failing:
                    _log.warning("job states not read: reason=%s", type(error).__name__)
                self._is_failing = True
            else:
                self._is_failing = False
            await wait_for_event(stop, self._every_s)
