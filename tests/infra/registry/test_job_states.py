"""How the jobs stand, as a gateway tells it, also when nobody runs them or the ledger is away."""

import asyncio

import pytest

from relay.domain.jobs import JobState
from relay.domain.ledger import Unreachable
from relay.infra.registry import job_states as watched_jobs
from relay.infra.registry.job_states import WatchedJobs

NOW = 1_800_000_000.0


class Book:
    """Jobs as they stand; `wrong` is raised in their place. `looked` is set at each look."""

    def __init__(self, *states):
        self.states, self.wrong, self.looked = {one.name: one for one in states}, None, asyncio.Event()

    async def jobs(self):
        self.looked.set()
        if self.wrong is not None:
            raise self.wrong
        return self.states


@pytest.fixture
def here():
    """A watch over jobs a and b; `.at` is the clock."""

    class Here:
        at = NOW
        book = Book(JobState("a", succeeded_at=int(NOW) - 60, failures=2), JobState("c", failures=9))

    Here.watched = WatchedJobs(Here.book, ("a", "b"), lambda: Here.at)
    return Here


async def test_failures_and_age_are_told_of_the_jobs_it_is_for(here):
    await here.watched.look()
    here.at += 5
    gauges = here.watched.gauges()
    assert gauges == {
        "relay_job_failures": {"a": 2.0, "b": 0.0},
        "relay_job_success_age_seconds": {"a": 65.0, "b": 5.0},
    }


async def test_a_job_that_nobody_runs_grows_old_all_the_same(here):
    here.at += 900
    assert here.watched.gauges()["relay_job_success_age_seconds"] == {"a": 900.0, "b": 900.0}


async def test_a_success_by_a_clock_ahead_of_ours_is_not_younger_than_now(here):
    here.book.states["b"] = JobState("b", succeeded_at=int(NOW) + 30)
    await here.watched.look()
    assert here.watched.gauges()["relay_job_success_age_seconds"]["b"] == 0.0


async def test_a_success_that_a_wrong_clock_wrote_hides_no_age(here):
    here.book.states["b"] = JobState("b", succeeded_at=int(NOW) + 30 * 86_400)
    await here.watched.look()
    here.at += 900
    assert here.watched.gauges()["relay_job_success_age_seconds"]["b"] == 900.0


async def test_while_the_ledger_is_away_what_was_seen_last_is_told_and_the_log_says_so_once(here, monkeypatch, caplog):
    monkeypatch.setattr(watched_jobs, "EVERY_S", 0.001)
    stop, book = asyncio.Event(), here.book
    following = asyncio.create_task(here.watched.follow(stop))

    async def looks(times):
        for _ in range(times):
            book.looked.clear()
            await asyncio.wait_for(book.looked.wait(), 10)

    await looks(1)
    book.wrong = Unreachable("away")
    await looks(3)
    assert here.watched.gauges()["relay_job_failures"]["a"] == 2.0
    book.wrong = None
    book.states["a"] = JobState("a", failures=3)
    await looks(2)
    assert here.watched.gauges()["relay_job_failures"]["a"] == 3.0
    book.wrong = Unreachable("away")
    await looks(2)
    assert caplog.messages == []  # the outage of the ledger is logged by itself
    stop.set()
    await following


async def test_a_ledger_that_does_not_answer_is_not_waited_for(here, monkeypatch, caplog):
    monkeypatch.setattr(watched_jobs, "EVERY_S", 0.001)
    monkeypatch.setattr(watched_jobs, "_LOOK_S", 0.001)
    stop = asyncio.Event()

    async def hangs():
        here.book.looked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(here.book, "jobs", hangs)
    following = asyncio.create_task(here.watched.follow(stop))
    for _ in range(2):
        here.book.looked.clear()
        await asyncio.wait_for(here.book.looked.wait(), 10)
    assert caplog.messages == []
    stop.set()
    await following
