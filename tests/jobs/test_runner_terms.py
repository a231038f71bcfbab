"""Jobs run while this instance leads: what becomes of them when it does not any more, or nobody can tell."""

import asyncio

from relay.domain.jobs import JobState, Superseded

NOW = 1_800_000_000
TERM_S = 15


async def test_who_does_not_lead_runs_nothing_and_asks_each_second(house, work_of):
    work = work_of()
    here = house(work)
    here.leadership.leads = False
    for _ in range(5):
        await here.tick()
    assert (work.begun, here.leadership.campaigns, here.runner.term) == (0, 5, None)


async def test_who_leads_renews_its_term_long_before_it_ends(house, work_of):
    here = house(work_of())
    for _ in range(TERM_S * 4):
        await here.tick()
        assert here.runner.term.until > here.clock.now
    assert here.leadership.campaigns == 4 * 3


async def test_a_clock_that_went_back_keeps_nobody_from_renewing(house, work_of):
    here = house(work_of())
    await here.tick(-3600.0)
    await here.tick()
    assert here.leadership.campaigns == 2


async def test_a_term_lost_in_the_middle_ends_what_runs(house, work_of):
    work = work_of(waits=True)
    here = house(work)
    await here.tick(TERM_S / 3)
    here.leadership.another_leads()
    await here.tick()
    assert (work.cancelled, here.runner.term) == (1, None)
    assert here.book.wrote == [("sync", "begun_at")]


async def test_a_job_that_was_broken_off_runs_again_under_the_next_term(house, work_of):
    work = work_of(waits=True)
    here = house(work)
    here.book.states["sync"] = JobState("sync", begun_at=NOW - 5, ended_at=NOW - 5, due_at=NOW + 900, asked_at=NOW - 1)
    await here.tick(TERM_S / 3)
    here.leadership.another_leads()
    await here.tick()
    here.leadership.leads = True
    work.go.set()
    await here.tick()
    assert (work.begun, here.book.states["sync"].told) == (2, "2 done")
    assert [fence for fence, _ in work.fences] == [1, 2]


async def test_a_term_that_ran_out_unrenewed_ends_what_runs(house, work_of):
    work = work_of(waits=True)
    here = house(work)
    await here.tick()
    here.leadership.away = True
    await here.tick(TERM_S - 3.0)
    assert (work.cancelled, here.runner.term.fence) == (0, 1)  # a moment without an answer ends nothing
    here.clock.now = float(NOW + TERM_S)
    await here.tick()
    assert (work.cancelled, here.runner.term) == (1, None)


async def test_who_hears_that_another_wrote_since_gives_its_term_back_and_draws_another(house, work_of, caplog):
    """A lock that came back from a failover still names us, while the ledger has seen a higher fence."""
    work = work_of(waits=True)
    here = house(work)
    await here.tick()
    here.book.fence = here.leadership.fence = 5
    here.leadership.fence = 1
    work.go.set()
    await here.tick()  # its end cannot be written
    assert here.book.states["sync"].told == ""
    here.leadership.fence = 6
    await here.tick()
    assert (here.leadership.resigned, here.runner.term.fence) == (1, 6)
    assert here.book.states["sync"].told == "2 done"
    assert "job sync: another instance leads" in caplog.messages


async def test_superseded_within_a_job_is_no_failure_of_it(house, work_of):
    work = work_of()
    work.error = Superseded()
    here = house(work)
    await here.tick()
    assert (here.book.states["sync"].failures, here.book.states["sync"].ended_at) == (0, 0)


async def test_a_ledger_that_is_away_logs_its_outage_itself(house, work_of, caplog):
    """No line of the runner stands beside `ledger unavailable`; its return goes on."""
    work = work_of()
    here = house(work)
    here.book.away = True
    for _ in range(4):
        await here.tick()
    assert (work.begun, "LedgerAway" in caplog.text) == (0, False)
    here.book.away = False
    await here.tick()
    assert work.begun == 1
    assert "away" not in caplog.text


async def test_a_ledger_that_goes_while_a_job_runs_makes_it_run_again(house, work_of, caplog):
    work = work_of(waits=True)
    here = house(work)
    await here.tick()
    here.book.away = True
    work.go.set()
    await here.tick()
    assert "LedgerAway" not in caplog.text
    here.book.away = False
    await here.tick()
    assert (work.begun, here.book.states["sync"].told) == (2, "2 done")


async def test_at_the_stop_what_runs_is_ended_and_leadership_given_back(house, work_of):
    work = work_of(waits=True)
    here = house(work)
    stop = asyncio.Event()
    following = asyncio.create_task(here.runner.follow(stop))
    await work.entered.wait()
    stop.set()
    await following
    assert (work.cancelled, here.leadership.resigned, here.runner.term) == (1, 1, None)


async def test_who_never_led_has_nothing_to_give_back(house, work_of):
    here = house(work_of())
    here.leadership.leads = False
    stop = asyncio.Event()
    following = asyncio.create_task(here.runner.follow(stop))
    await here.leadership.asked.wait()
    stop.set()
    await following
    assert here.leadership.resigned == 0


async def test_a_stop_while_nobody_answers_is_a_stop(house, work_of, caplog):
    work = work_of(waits=True)
    here = house(work)
    stop = asyncio.Event()
    following = asyncio.create_task(here.runner.follow(stop))
    await work.entered.wait()
    here.leadership.away = True
    stop.set()
    await following
    assert "leadership could not be given back (LedgerAway): it runs out by itself" in caplog.messages
