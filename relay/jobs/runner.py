"""Runs jobs while this instance leads: when they are due, when somebody asks, and never two of one kind at once."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import AHEAD_MOST_S, JobsBook, JobState, Leadership, Superseded, Term
from relay.domain.ledger import Unreachable

_log = logging.getLogger(__name__)

TICK_S: Final = 1.0
RETRY_S: Final = 10
"""Waited after a failure, twice as long after each further one, at most as long as the job's own period."""
_SAID_MOST: Final = 2_000


class JobFailed(Exception):
    """A job could not do what it is for. The text is for people: what is wrong, what to do; never a value."""


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of work.

    `run` takes the fence of the term and epoch seconds, and tells in words what it did; `next_due` tells when it is due
    again after it ended well; `every_s` bounds the wait after failures. `wanted` asks whether it has something to do
    now, whatever its time. One that never ran is due at once.
    """

    name: str
    run: Callable[[int, int], Awaitable[str]]
    next_due: Callable[[int], int]
    every_s: int
    wanted: Callable[[], Awaitable[bool]] | None = None


def every(seconds: int) -> Callable[[int], int]:
    """Due again so long after it ended."""
    return lambda now: now + seconds


def is_due(state: JobState, now: int, latest: int) -> bool:
    """Whether a job is to run: its time came, it never ran, somebody asked since it last began, or it was broken off.

    Who began it without ending it was killed, or lost its term meanwhile: what it was asked for is still to be done.
    A time behind `latest`, the last one that it can be due at from now on, was written by a wrong clock.
    """
    in_time = now < state.due_at <= latest
    return not in_time or state.asked_at > state.begun_at or state.begun_at > state.ended_at


def latest_due(job: Job, now: int) -> int:
    """The last moment at which a job that ended by now is due again, well or not."""
    return max(job.next_due(now), now + job.every_s) + AHEAD_MOST_S


def retry_at(job: Job, failures: int, now: int) -> int:
    """When a job that failed so often in a row is tried again."""
    return now + min(job.every_s, RETRY_S << min(failures, 20))


class Runner:
    """Leads when it can, and runs the jobs then. `clock` tells epoch seconds.

    A ledger that does not answer (`Unreachable`) logs its outage by itself: no line here.
    """

    def __init__(
        self, jobs: Sequence[Job], book: JobsBook, leadership: Leadership, clock: Callable[[], float], term_s: float
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._book = book
        self._leadership = leadership
        self._clock = clock
        self._renew_s = term_s / 3
        self._campaigned = float("-inf")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._refused = -1
        self._silent = False
        self.term: Term | None = None

    def take(self, jobs: Sequence[Job]) -> None:
        """Go by these jobs from now on; those that run end as they began."""
        self._jobs = {job.name: job for job in jobs}

    async def follow(self, stop: asyncio.Event) -> None:
        """Look each second until `stop`; then what runs is ended and leadership given back."""
        try:
            while not stop.is_set():
                await self._tick()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), TICK_S)
        finally:
            await self._stand_down()
            if self.term is not None:
                await self._give_back()

    async def run_now(self, name: str) -> str:
        """Lead and run one job to its end; what it tells. For the command line, when nobody else leads.

        Raises Superseded when somebody else leads, JobFailed and what the ledger raises.
        """
        term = await self._leadership.campaign(int(self._clock()))
        if term is None:
            raise Superseded
        leading = asyncio.create_task(self._keep_leading())
        try:
            failure = await self._run(self._jobs[name], term, 0)
            if failure is not None:
                raise JobFailed(failure) from None
            return (await self._book.jobs())[name].told
        finally:
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)
            await self._give_back()

    async def _keep_leading(self) -> None:
        """Renew the term until cancelled: a job may take longer than a term."""
        while True:
            await asyncio.sleep(self._renew_s)
            try:
                await self._leadership.campaign(int(self._clock()))
            except Exception as error:  # the ledger or Redis is away: what is written tells whether we lead still
                if not isinstance(error, Unreachable):
                    _log.warning("the term was not renewed (%s)", type(error).__name__)

    async def _give_back(self) -> None:
        self.term = None
        try:
            await self._leadership.resign()
        except Exception as error:  # whoever stops must not hang on a ledger that is away
            _log.warning("leadership could not be given back (%s): it runs out by itself", type(error).__name__)

    async def _tick(self) -> None:
        try:
            if self.term is not None and self.term.fence == self._refused:
                await self._lost("another instance wrote since")
                await self._leadership.resign()  # a fence that was refused once is never good again: draw another one
            await self._campaign()
            if self.term is not None:
                await self._begin_what_is_due(self.term)
        except Exception as error:  # the ledger or Redis is away: the last good state lives on, the next tick comes
            if not self._silent and not isinstance(error, Unreachable):
                _log.warning("jobs wait: %s", type(error).__name__)
            self._silent = True
        else:
            self._silent = False
        if self.term is not None and self.term.until <= self._clock():
            await self._lost("its term ran out")

    async def _campaign(self) -> None:
        now = self._clock()
        if self.term is not None and 0 <= now - self._campaigned < self._renew_s:
            return
        found = await self._leadership.campaign(int(now))
        self._campaigned = now
        former, same = self.term, self.term is not None and found is not None and self.term.fence == found.fence
        if former is not None and not same:
            await self._lost("another instance leads")
        if found is not None and not same:
            _log.info("leading, term %d", found.fence)
        self.term = found

    async def _begin_what_is_due(self, term: Term) -> None:
        states, now = await self._book.jobs(), int(self._clock())
        for job in self._jobs.values():
            running = self._running.get(job.name)
            if running is not None and not running.done():
                continue
            state = states.get(job.name, JobState(job.name))
            if is_due(state, now, latest_due(job, now)) or (
                job.wanted is not None and state.failures == 0 and await job.wanted()
            ):
                self._running[job.name] = asyncio.create_task(self._told(job, term, state.failures))

    async def _told(self, job: Job, term: Term, failures: int) -> None:
        try:
            await self._run(job, term, failures)
        except Superseded:
            _log.warning("job %s: another instance leads", job.name)
            self._refused = term.fence
        except Exception as error:  # its state could not be written; it is due still
            if not isinstance(error, Unreachable):
                _log.warning("job %s: its state could not be kept (%s)", job.name, type(error).__name__)

    async def _run(self, job: Job, term: Term, failures: int) -> str | None:
        """Run it and keep how it went; what went wrong, None when nothing did. Raises Superseded."""
        await self._book.begun(job.name, term.fence, int(self._clock()))
        failure: str | None = None
        try:
            told = await job.run(term.fence, int(self._clock()))
        except Superseded:
            raise
        except JobFailed as error:
            failure = told = str(error)
        except Exception as error:  # whatever a job meets: it is told by its kind, and the job comes again
            failure = told = f"failed ({type(error).__name__})"
        now = int(self._clock())
        due_at = job.next_due(now) if failure is None else retry_at(job, failures, now)
        await self._book.ended(
            job.name, term.fence, well=failure is None, told=told[:_SAID_MOST], due_at=due_at, now=now
        )
        _log.log(logging.INFO if failure is None else logging.ERROR, "job %s: %s", job.name, told.partition("\n")[0])
        return failure

    async def _lost(self, why: str) -> None:
        _log.warning("not leading any more: %s", why)
        self.term = None
        await self._stand_down()

    async def _stand_down(self) -> None:
        """End what runs: whatever it would still write carries an old fence and is refused."""
        running = [task for task in self._running.values() if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()
