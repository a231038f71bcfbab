"""What is simulated for the jobs, and a runner with everything round it pretended."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from relay.domain.jobs import JobState, Superseded, Term
from relay.domain.ledger import Unreachable
from relay.jobs.runner import Job, Runner, every

sys.path.insert(0, str(Path(__file__).parent))  # simulated/ is no installed package

from simulated.sync import SECOND, Room, body

NOW = 1_800_000_000
TERM_S = 15


class LedgerAway(Unreachable):
    """What the ledger raises."""


class Clock:
    now = float(NOW)

    def __call__(self):
        return self.now


class Book:
    """Jobs in memory, as the ledger promises them. `away` says that nothing answers."""

    def __init__(self):
        self.states, self.fence, self.away = {}, 0, False
        self.wrote = []

    def _change(self, name, fence, **values):
        if self.away:
            raise LedgerAway
        if fence < self.fence:
            raise Superseded
        self.wrote.append((name, *values))
        self.states[name] = replace(self.states.get(name, JobState(name)), **values)

    async def jobs(self):
        if self.away:
            raise LedgerAway
        return dict(self.states)

    async def begun(self, name, fence, now):
        self._change(name, fence, begun_at=now)

    async def ended(self, name, fence, *, well, told, due_at, now):
        failures = 0 if well else self.states[name].failures + 1
        succeeded = {"succeeded_at": now} if well else {}
        self._change(name, fence, ended_at=now, due_at=due_at, told=told, failures=failures, **succeeded)

    def ask(self, name, now):
        self.states[name] = replace(self.states[name], asked_at=now)


class Leadership:
    """Says who leads: `leads` is whether we do, `fence` our term's; `away` that nobody can tell."""

    def __init__(self, clock, book):
        self._clock, self._book = clock, book
        self.leads, self.fence, self.away = True, 1, False
        self.resigned = self.campaigns = 0
        self.asked = asyncio.Event()

    async def campaign(self, now):
        self.campaigns += 1
        self.asked.set()
        if self.away:
            raise LedgerAway
        return Term("us", self.fence, now + TERM_S) if self.leads else None

    async def resign(self):
        self.resigned += 1
        if self.away:
            raise LedgerAway

    def another_leads(self):
        """Somebody else was chosen, and wrote since."""
        self.leads, self.fence = False, self.fence + 1
        self._book.fence = self.fence


class Work:
    """What a job does: notes that it began, waits for `go` when told to, ends as it is told to."""

    def __init__(self, name="sync", *, waits=False, wanted=None):
        self.begun, self.fences, self.cancelled = 0, [], 0
        self.error = None
        self.go, self.entered = asyncio.Event(), asyncio.Event()
        if not waits:
            self.go.set()
        self.job = Job(name, self.run, every(600), 600, wanted)

    async def run(self, fence, now):
        self.begun += 1
        self.fences.append((fence, now))
        self.entered.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return f"{self.begun} done"


class House:
    """A runner with all it talks to; `tick` is a second, with what it began at its end unless that waits."""

    def __init__(self, *works):
        self.clock, self.book = Clock(), Book()
        self.leadership = Leadership(self.clock, self.book)
        self.runner = self.runner_of(*works)

    def runner_of(self, *works):
        return Runner([work.job for work in works], self.book, self.leadership, self.clock, TERM_S)

    async def tick(self, seconds=1.0):
        await self.runner._tick()
        for _ in range(10):
            await asyncio.sleep(0)
        self.clock.now += seconds


@pytest.fixture
def work_of():
    """Makes the work of jobs."""
    return Work


@pytest.fixture
async def house():
    """Makes houses; nothing of them runs on after the test."""
    made = []

    def build(*works):
        made.append(House(*works))
        return made[-1]

    yield build
    for one in made:
        await one.runner._stand_down()


@pytest.fixture
def room():
    """A sync and all that it talks to; nothing was heard yet."""
    return Room()


@pytest.fixture
async def known(room):
    """A room where a first sync was taken; the portal has nothing new."""
    await room.run()
    room.portal.asked.clear()
    room.book.written.clear()
    room.hasher.hashed_secrets.clear()
    room.portal.orgs = room.portal.services_body = body(stamp=SECOND)
    return room
