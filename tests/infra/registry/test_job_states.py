"""Gauges of job states, also when no instance leads or the ledger is unavailable."""

import asyncio

import pytest

from relay.domain.jobs import JobState
from relay.domain.ledger import LedgerDown
from relay.infra.registry.job_states import JobStateWatcher

NOW = 1_800_000_000.0


class FakeStore:
    """Job states; `error` is raised instead. `polled` is set at each poll."""

    def __init__(self, *states):
        self.states, self.error, self.polled = {state.name: state for state in states}, None, asyncio.Event()

    async def load_states(self):
        self.polled.set()
        if self.error is not None:
            raise self.error
        return self.states


@pytest.fixture
def fake():
    """A watcher of jobs a and b; `.at` is the clock."""

    class Fake:
        at = NOW
        store = FakeStore(JobState("a", succeeded_at=int(NOW) - 60, failures=2), JobState("c", failures=9))

    Fake.watched = JobStateWatcher(Fake.store, ("a", "b"), lambda: Fake.at, every_s=0.001, poll_timeout_s=0.05)
    return Fake


async def test_gauges_have_failures_and_age_of_the_watched_jobs(fake):
    await fake.watched.poll()
    fake.at += 5
    gauges = fake.watched.gauges()
    assert gauges == {
        "relay_job_failures": {"a": 2.0, "b": 0.0},
        "relay_job_success_age_seconds": {"a": 65.0, "b": 5.0},
    }


async def test_a_job_that_does_not_run_has_a_growing_age(fake):
    fake.at += 900
    assert fake.watched.gauges()["relay_job_success_age_seconds"] == {"a": 900.0, "b": 900.0}


async def test_a_success_slightly_in_the_future_has_no_age(fake):
    fake.store.states["b"] = JobState("b", succeeded_at=int(NOW) + 30)
    await fake.watched.poll()
    assert fake.watched.gauges()["relay_job_success_age_seconds"]["b"] == 0.0


async def test_a_success_far_in_the_future_hides_no_age(fake):
    fake.store.states["b"] = JobState("b", succeeded_at=int(NOW) + 30 * 86_400)
    await fake.watched.poll()
    fake.at += 900
    assert fake.watched.gauges()["relay_job_success_age_seconds"]["b"] == 900.0


async def test_an_unavailable_ledger_keeps_the_last_states(fake, caplog):
    stop, store = asyncio.Event(), fake.store
    following = asyncio.create_task(fake.watched.follow(stop))

    async def wait_polls(times):
        for _ in range(times):
            store.polled.clear()
            await asyncio.wait_for(store.polled.wait(), 10)

    await wait_polls(1)
    store.error = LedgerDown("away")
    await wait_polls(3)
    assert fake.watched.gauges()["relay_job_failures"]["a"] == 2.0
    store.error = None
    store.states["a"] = JobState("a", failures=3)
    await wait_polls(2)
    assert fake.watched.gauges()["relay_job_failures"]["a"] == 3.0
    store.error = LedgerDown("away")
    await wait_polls(2)
    assert caplog.messages == []  # the ledger logs its outage itself
    stop.set()
    await following


async def test_a_hanging_ledger_is_not_waited_for(fake, monkeypatch, caplog):
    stop = asyncio.Event()

    async def hangs():
        fake.store.polled.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(fake.store, "load_states", hangs)
    following = asyncio.create_task(fake.watched.follow(stop))
    for _ in range(2):
        fake.store.polled.clear()
        await asyncio.wait_for(fake.store.polled.wait(), 10)
    assert caplog.messages == []
    stop.set()
    await following
