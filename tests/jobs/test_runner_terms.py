"""Jobs run while this instance leads: lost terms, unavailable ledger and leader election."""

import asyncio

from relay.domain.jobs import JobState, Superseded

NOW = 1_800_000_000
TERM_S = 15


async def test_an_instance_that_does_not_lead_runs_nothing(make_harness, make_work):
    work = make_work()
    harness = make_harness(work)
    harness.leadership.leads = False
    for _ in range(5):
        await harness.tick()
    assert (work.started, harness.leadership.campaigns, harness.runner.term) == (0, 5, None)


async def test_a_leader_renews_its_term_long_before_the_end(make_harness, make_work):
    harness = make_harness(make_work())
    for _ in range(TERM_S * 4):
        await harness.tick()
        assert harness.runner.term.until > harness.clock.now
    assert harness.leadership.campaigns == 4 * 3


async def test_a_clock_that_went_back_stops_no_renewal(make_harness, make_work):
    harness = make_harness(make_work())
    await harness.tick(-3600.0)
    await harness.tick()
    assert harness.leadership.campaigns == 2


async def test_a_lost_term_cancels_running_jobs(make_harness, make_work):
    work = make_work(waits=True)
    harness = make_harness(work)
    await harness.tick(TERM_S / 3)
    harness.leadership.another_leads()
    await harness.tick()
    assert (work.cancelled, harness.runner.term) == (1, None)
    assert harness.store.wrote == [("sync", "begun_at")]


async def test_an_interrupted_job_runs_again_in_the_next_term(make_harness, make_work):
    work = make_work(waits=True)
    harness = make_harness(work)
    harness.store.states["sync"] = JobState(
        "sync", begun_at=NOW - 5, ended_at=NOW - 5, due_at=NOW + 900, requested_at=NOW - 1
    )
    await harness.tick(TERM_S / 3)
    harness.leadership.another_leads()
    await harness.tick()
    harness.leadership.leads = True
    work.go.set()
    await harness.tick()
    assert (work.started, harness.store.states["sync"].result) == (2, "2 done")
    assert [fence for fence, _ in work.fences] == [1, 2]


async def test_an_expired_term_cancels_running_jobs(make_harness, make_work):
    work = make_work(waits=True)
    harness = make_harness(work)
    await harness.tick()
    harness.leadership.away = True
    await harness.tick(TERM_S - 3.0)
    assert (work.cancelled, harness.runner.term.fence) == (0, 1)  # a short outage ends nothing
    harness.clock.now = float(NOW + TERM_S)
    await harness.tick()
    assert (work.cancelled, harness.runner.term) == (1, None)


async def test_a_refused_fence_is_given_up_and_replaced(make_harness, make_work, caplog):
    """After a failover the lock still names us, while the ledger has a higher fence."""
    work = make_work(waits=True)
    harness = make_harness(work)
    await harness.tick()
    harness.store.fence = harness.leadership.fence = 5
    harness.leadership.fence = 1
    work.go.set()
    await harness.tick()  # its end cannot be written
    assert harness.store.states["sync"].result == ""
    harness.leadership.fence = 6
    await harness.tick()
    assert (harness.leadership.resigned, harness.runner.term.fence) == (1, 6)
    assert harness.store.states["sync"].result == "2 done"
    assert "job sync: another instance leads" in caplog.messages


async def test_superseded_is_no_failure_of_the_job(make_harness, make_work):
    work = make_work()
    work.error = Superseded()
    harness = make_harness(work)
    await harness.tick()
    assert (harness.store.states["sync"].failures, harness.store.states["sync"].ended_at) == (0, 0)


async def test_the_runner_logs_no_outage_of_the_ledger(make_harness, make_work, caplog):
    """The runner logs no line beside `ledger unavailable`, and goes on when the ledger is back."""
    work = make_work()
    harness = make_harness(work)
    harness.store.away = True
    for _ in range(4):
        await harness.tick()
    assert (work.started, "LedgerUnavailable" in caplog.text) == (0, False)
    harness.store.away = False
    await harness.tick()
    assert work.started == 1
    assert "away" not in caplog.text


async def test_a_job_runs_again_after_the_ledger_failed_during_it(make_harness, make_work, caplog):
    work = make_work(waits=True)
    harness = make_harness(work)
    await harness.tick()
    harness.store.away = True
    work.go.set()
    await harness.tick()
    assert "LedgerUnavailable" not in caplog.text
    harness.store.away = False
    await harness.tick()
    assert (work.started, harness.store.states["sync"].result) == (2, "2 done")


async def test_a_stop_cancels_jobs_and_gives_up_leadership(make_harness, make_work):
    work = make_work(waits=True)
    harness = make_harness(work)
    stop = asyncio.Event()
    following = asyncio.create_task(harness.runner.follow(stop))
    await work.entered.wait()
    stop.set()
    await following
    assert (work.cancelled, harness.leadership.resigned, harness.runner.term) == (1, 1, None)


async def test_an_instance_that_never_led_does_not_resign(make_harness, make_work):
    harness = make_harness(make_work())
    harness.leadership.leads = False
    stop = asyncio.Event()
    following = asyncio.create_task(harness.runner.follow(stop))
    await harness.leadership.asked.wait()
    stop.set()
    await following
    assert harness.leadership.resigned == 0


async def test_a_stop_succeeds_while_the_ledger_is_unavailable(make_harness, make_work, caplog):
    work = make_work(waits=True)
    harness = make_harness(work)
    stop = asyncio.Event()
    following = asyncio.create_task(harness.runner.follow(stop))
    await work.entered.wait()
    harness.leadership.away = True
    stop.set()
    await following
    assert "leadership not given up, it expires: reason=LedgerUnavailable" in caplog.messages
