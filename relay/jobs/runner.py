"""Runs jobs while this instance leads: when they are due or requested, and never two of one kind at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import MAX_AHEAD_S, JobState, JobStore, Leadership, Superseded, Term
from relay.domain.ledger import LedgerDown
from relay.primitives.event_wait import wait_for_event
from relay.primitives.log_throttle import LogThrottle

_log = logging.getLogger(__name__)

TICK_S: Final = 1.0
RETRY_S: Final = 10
"""Wait after a failure. It doubles with each further one, up to the job's own period."""
REPEAT_S: Final = 600.0
"""Minimum seconds between two log lines of the same failure of a job."""
_MAX_OUTCOME: Final = 2_000


class JobFailed(Exception):
    """A job failed. The text is for operators: what is wrong, what to do; never a value."""


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of job.

    `run` takes the fence of the term and epoch seconds, and returns what it did in words; `next_due` returns when it is
    due again after a success; `every_s` limits the wait after failures. `wanted` returns whether there is work at any
    other time. A job that never ran is due at once.
    """

    name: str
    run: Callable[[int, int], Awaitable[str]]
    next_due: Callable[[int], int]
    every_s: int
    wanted: Callable[[], Awaitable[bool]] | None = None


def every(seconds: int) -> Callable[[int], int]:
    """Returns a `next_due` of this many seconds after the end."""
    return lambda now: now + seconds


def is_due(state: JobState, now: int, latest: int) -> bool:
    """Returns whether a job is due: by its time, never run, requested since its last start, or interrupted.

    A job that started without ending was killed or lost its term: its run is still owed.
    A `due_at` after `latest`, the last possible one, was written by a wrong clock.
    """
    in_time = now < state.due_at <= latest
    return not in_time or state.requested_at > state.begun_at or state.begun_at > state.ended_at


def latest_due(job: Job, now: int) -> int:
    """Returns the last moment at which a job that ended by now can be due again, after success or failure."""
    return max(job.next_due(now), now + job.every_s) + MAX_AHEAD_S


def retry_at(job: Job, failures: int, now: int) -> int:
    """Returns when a job is retried after this many failures in a row."""
    return now + min(job.every_s, RETRY_S << min(failures, 20))


def summarize_failure(outcome: str) -> str:
    """Returns a failure in one line: its summary, the first problem, and how many more there are."""
    summary, *problems = outcome.split("\n")
    if not problems:
        return summary
    more = f"; {len(problems) - 1} more: relay jobs list --json" if len(problems) > 1 else ""
    return f"{summary} {problems[0]}{more}"


class Runner:
    """Takes leadership when it can, and runs the jobs then. `clock` returns epoch seconds.

    A ledger that does not answer (`LedgerDown`) logs its outage itself; the runner adds no line.
    """

    def __init__(
        self, jobs: Sequence[Job], store: JobStore, leadership: Leadership, clock: Callable[[], float], term_s: float
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._store = store
        self._leadership = leadership
        self._clock = clock
        self._renew_s = term_s / 3
        self._campaigned_at = float("-inf")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, str] = {}
        self._throttle = LogThrottle(REPEAT_S)
        self._refused_fence = -1
        self._is_waiting = False
        self.term: Term | None = None

    def replace_jobs(self, jobs: Sequence[Job]) -> None:
        """Replaces the jobs. Running ones end as they started."""
        self._jobs = {job.name: job for job in jobs}

    async def follow(self, stop: asyncio.Event) -> None:
        """Checks each second until `stop`; then cancels running jobs and gives leadership up."""
        try:
            while not stop.is_set():
                await self.tick()
                await wait_for_event(stop, TICK_S)
        finally:
            await self.cancel_running()
            if self.term is not None:
                await self._resign()

    async def run_now(self, name: str) -> str:
        """Takes leadership, runs one job and returns its outcome. For the command line, when no instance leads.

        Raises Superseded when another instance leads, JobFailed, and errors of the ledger.
        """
        term = await self._leadership.campaign(int(self._clock()))
        if term is None:
            raise Superseded
        leading = asyncio.create_task(self._keep_leading())
        try:
            failure = await self._run(self._jobs[name], term, 0)
            if failure is not None:
                raise JobFailed(failure) from None
            return (await self._store.load_states())[name].result
        finally:
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)
            await self._resign()

    async def _keep_leading(self) -> None:
        """Renews the term until cancelled: a job may take longer than a term."""
        while True:
            await asyncio.sleep(self._renew_s)
            try:
                await self._leadership.campaign(int(self._clock()))
            except Exception as error:  # ledger or Redis unavailable: each write checks the fence
                if not isinstance(error, LedgerDown):
                    _log.warning("leadership not renewed: reason=%s", type(error).__name__)

    async def _resign(self) -> None:
        self.term = None
        try:
            await self._leadership.resign()
        except Exception as error:  # the stop must not wait for an unavailable ledger
            _log.warning("leadership not given up, it expires: reason=%s", type(error).__name__)

    async def tick(self) -> None:
        """Takes or renews leadership and starts due jobs. `follow` calls it each second."""
        try:
            if self.term is not None and self.term.fence == self._refused_fence:
                await self._lose_lead("another instance wrote since")
                await self._leadership.resign()  # a refused fence stays refused: get another one
            await self._campaign()
            if self.term is not None:
                await self._start_due_jobs(self.term)
        except Exception as error:  # ledger or Redis unavailable: keep the last good state until the next tick
            if not self._is_waiting and not isinstance(error, LedgerDown):
                _log.warning("jobs wait: reason=%s", type(error).__name__)
            self._is_waiting = True
        else:
            self._is_waiting = False
        if self.term is not None and self.term.until <= self._clock():
            await self._lose_lead("term expired")

    async def _campaign(self) -> None:
        now = self._clock()
        if self.term is not None and 0 <= now - self._campaigned_at < self._renew_s:
            return
        term = await self._leadership.campaign(int(now))
        self._campaigned_at = now
        former, is_same_term = self.term, self.term is not None and term is not None and self.term.fence == term.fence
        if former is not None and not is_same_term:
            await self._lose_lead("another instance leads")
        if term is not None and not is_same_term:
            _log.info("leadership gained: term=%d", term.fence)
        self.term = term

    async def _start_due_jobs(self, term: Term) -> None:
        running = {name for name, task in self._running.items() if not task.done()}  # before their states are read
        states, now = await self._store.load_states(), int(self._clock())
        for job in self._jobs.values():
            if job.name in running:
                continue
            state = states.get(job.name, JobState(job.name))
            if is_due(state, now, latest_due(job, now)) or (
                job.wanted is not None and state.failures == 0 and await job.wanted()
            ):
                self._running[job.name] = asyncio.create_task(self._run_and_log(job, term, state.failures))

    async def _run_and_log(self, job: Job, term: Term, failures: int) -> None:
        try:
            await self._run(job, term, failures)
        except Superseded:
            _log.warning("job %s: another instance leads", job.name)
            self._refused_fence = term.fence
        except Exception as error:  # its state was not written: the job stays due
            if not isinstance(error, LedgerDown):
                _log.warning("job %s: state not written: reason=%s", job.name, type(error).__name__)

    async def _run(self, job: Job, term: Term, failures: int) -> str | None:
        """Runs a job and records its outcome. Returns the failure in words, None for success. Raises Superseded."""
        await self._store.record_start(job.name, term.fence, int(self._clock()))
        failure: str | None = None
        try:
            outcome = await job.run(term.fence, int(self._clock()))
        except Superseded:
            raise
        except JobFailed as error:
            failure = outcome = str(error)
        except Exception as error:  # any other error: recorded by its class, and the job is retried
            failure = outcome = f"failed ({type(error).__name__})"
        now = int(self._clock())
        due_at = job.next_due(now) if failure is None else retry_at(job, failures, now)
        await self._store.record_end(
            job.name, term.fence, well=failure is None, result=outcome[:_MAX_OUTCOME], due_at=due_at, now=now
        )
        self._log_outcome(job.name, outcome, is_failure=failure is not None)
        return failure

    def _log_outcome(self, name: str, outcome: str, *, is_failure: bool) -> None:
        """Logs how a job ended; the same failure again only after REPEAT_S, with the number of failures."""
        if not is_failure:
            self._failures.pop(name, None)
            self._throttle.forget(name)
            _log.info("job %s: %s", name, outcome.partition("\n")[0])
            return
        if self._failures.get(name) != outcome:
            self._failures[name] = outcome
            self._throttle.forget(name)
        if count := self._throttle.count_event(name, self._clock()):
            failures = f" failures={count}" if count > 1 else ""
            _log.error("job %s: %s%s", name, summarize_failure(outcome), failures)

    async def _lose_lead(self, reason: str) -> None:
        _log.warning("leadership lost: reason=%s", reason)
        self.term = None
        await self.cancel_running()

    async def cancel_running(self) -> None:
        """Cancels running jobs: their later writes carry an old fence and are refused."""
        running = [task for task in self._running.values() if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()
