"""Fixtures of the jobs' tests: a runner with fake ledger, leadership and clock."""

import asyncio
from dataclasses import replace

import pytest
from simulated.sync import SECOND, SyncHarness, make_body

from relay.domain.jobs import JobState, Superseded, Term
from relay.domain.ledger import LedgerDown
from relay.jobs.runner import Job, Runner, every

NOW = 1_800_000_000
TERM_S = 15


class LedgerUnavailable(LedgerDown):
    """The error of a ledger that does not answer."""


class Clock:
    now = float(NOW)

    def __call__(self):
        return self.now


class FakeStore:
    """A JobStore in memory. While `away` is set, it does not answer."""

    def __init__(self):
        self.states, self.fence, self.away = {}, 0, False
        self.wrote = []
        self.delay = 0

    def _change(self, name, fence, **values):
        if self.away:
            raise LedgerUnavailable
        if fence < self.fence:
            raise Superseded
        self.wrote.append((name, *values))
        self.states[name] = replace(self.states.get(name, JobState(name)), **values)

    async def load_states(self):
        if self.away:
            raise LedgerUnavailable
        states = dict(self.states)
        for _ in range(self.delay):  # others run between the reading of the rows and its end
            await asyncio.sleep(0)
        return states

    async def record_start(self, name, fence, now):
        self._change(name, fence, begun_at=now)

    async def record_end(self, name, fence, *, well, result, due_at, now):
        failures = 0 if well else self.states[name].failures + 1
        succeeded = {"succeeded_at": now} if well else {}
        self._change(name, fence, ended_at=now, due_at=due_at, result=result, failures=failures, **succeeded)

    def request_run(self, name, now):
        self.states[name] = replace(self.states[name], requested_at=now)


class Leadership:
    """A Leadership: `leads` is whether we lead, `fence` our term's. While `away` is set, it does not answer."""

    def __init__(self, clock, store):
        self._clock, self._book = clock, store
        self.leads, self.fence, self.away = True, 1, False
        self.resigned = self.campaigns = 0
        self.asked = asyncio.Event()

    async def campaign(self, now):
        self.campaigns += 1
        self.asked.set()
        if self.away:
            raise LedgerUnavailable
        return Term("us", self.fence, now + TERM_S) if self.leads else None

    async def resign(self):
        self.resigned += 1
        if self.away:
            raise LedgerUnavailable

    def another_leads(self):
        """Another instance is elected and writes."""
        self.leads, self.fence = False, self.fence + 1
        self._book.fence = self.fence


class Work:
    """A job that records its runs, waits for `go` when told to, and raises `error` if there is one."""

    def __init__(self, name="sync", *, waits=False, wanted=None):
        self.started, self.fences, self.cancelled = 0, [], 0
        self.error = None
        self.go, self.entered = asyncio.Event(), asyncio.Event()
        if not waits:
            self.go.set()
        self.job = Job(name, self.run, every(600), 600, wanted)

    async def run(self, fence, now):
        self.started += 1
        self.fences.append((fence, now))
        self.entered.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return f"{self.started} done"


class RunnerHarness:
    """A runner with fakes; `tick` is a second and lets started jobs end unless they wait."""

    def __init__(self, *works, term_s=TERM_S):
        self.clock, self.store = Clock(), FakeStore()
        self.leadership = Leadership(self.clock, self.store)
        self.runner = self.make_runner(*works, term_s=term_s)

    def make_runner(self, *works, term_s=TERM_S):
        return Runner([work.job for work in works], self.store, self.leadership, self.clock, term_s)

    async def tick(self, seconds=1.0):
        await self.runner.tick()
        for _ in range(10):
            await asyncio.sleep(0)
        self.clock.now += seconds


@pytest.fixture
def make_work():
    """Returns a function that makes jobs."""
    return Work


@pytest.fixture
async def make_harness():
    """Returns a function that makes runners with fakes; they are stopped after the test."""
    made = []

    def build(*works, **options):
        made.append(RunnerHarness(*works, **options))
        return made[-1]

    yield build
    for harness in made:
        await harness.runner.cancel_running()


@pytest.fixture
def fresh():
    """A sync with fakes; nothing was applied yet."""
    return SyncHarness()


@pytest.fixture
async def known(fresh):
    """A sync with fakes after a first run; the portal has nothing new."""
    await fresh.run()
    fresh.portal.requests.clear()
    fresh.store.written.clear()
    fresh.hasher.hashed_secrets.clear()
    fresh.portal.orgs = fresh.portal.services_body = make_body(stamp=SECOND)
    return fresh
