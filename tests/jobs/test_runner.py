"""Jobs run when they are due or asked for, as they were told, and never two of one kind at once."""

import asyncio

import pytest

from relay.domain.jobs import JobState, Superseded
from relay.jobs.runner import RETRY_S, Job, JobFailed, every, is_due, latest_due, retry_at

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({}, True),  # never ran
        ({"due_at": NOW}, True),
        ({"due_at": NOW + 1}, False),
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 9, "asked_at": NOW - 8}, True),
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 9, "asked_at": NOW - 9}, False),
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 20, "asked_at": NOW - 9}, True),  # broken off
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 3}, False),
        ({"due_at": NOW + 3600, "begun_at": NOW - 9, "ended_at": NOW - 3}, False),
        ({"due_at": NOW + 3601, "begun_at": NOW - 9, "ended_at": NOW - 3}, True),  # a clock was wrong
    ],
)
def test_a_job_is_due_by_its_time_when_asked_for_or_when_broken_off(state, due):
    assert is_due(JobState("sync", **state), NOW, NOW + 3600) is due


@pytest.mark.parametrize(
    ("failures", "every_s", "waits"),
    [(0, 600, RETRY_S), (1, 600, 2 * RETRY_S), (5, 600, 320), (6, 600, 600), (1000, 86_400, 86_400), (0, 5, 5)],
)
def test_each_failure_in_a_row_doubles_the_wait_up_to_the_jobs_own_period(failures, every_s, waits):
    job = Job("sync", None, every(every_s), every_s)
    assert retry_at(job, failures, NOW) == NOW + waits


async def test_what_never_ran_runs_at_once_and_then_when_its_time_comes(house, work_of):
    work = work_of()
    here = house(work)
    await here.tick()
    assert (work.fences, here.book.states["sync"].told) == ([(1, NOW)], "1 done")
    assert here.book.states["sync"].due_at == NOW + 600
    await here.tick(598.0)
    assert work.begun == 1
    here.clock.now = float(NOW + 600)
    await here.tick()
    assert work.begun == 2


async def test_what_is_asked_for_runs_although_it_is_not_due_and_once(house, work_of):
    work = work_of()
    here = house(work)
    await here.tick(60.0)
    here.book.ask("sync", NOW + 60)
    for _ in range(3):
        await here.tick()
    assert work.begun == 2


async def test_a_job_that_has_something_to_do_runs_whatever_its_time(house, work_of):
    wants = [False, True, False]

    async def wanted():
        return wants.pop(0)

    work = work_of(wanted=wanted)
    here = house(work)
    await here.tick()  # due: nobody asks what it wants
    for expected in (1, 2, 2):
        await here.tick()
        assert work.begun == expected


async def test_a_job_that_failed_waits_whatever_it_wants(house, work_of):
    async def wanted():
        return True

    work = work_of(wanted=wanted)
    work.error = JobFailed("the portal does not answer")
    here = house(work)
    for _ in range(RETRY_S):
        await here.tick()
    assert work.begun == 1
    await here.tick()
    assert work.begun == 2


async def test_two_of_one_kind_never_run_at_once(house, work_of):
    work, other = work_of(waits=True), work_of("tidy")
    here = house(work, other)
    await here.tick()
    here.book.ask("sync", NOW + 1)
    for _ in range(5):
        await here.tick()
    assert (work.begun, other.begun) == (1, 1)
    work.go.set()
    await here.tick()
    assert here.book.states["sync"].told == "1 done"
    await here.tick()
    assert work.begun == 2  # who asked while it ran gets a run that began after the question


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            JobFailed("the portal refuses the secret: see portal.calls"),
            "the portal refuses the secret: see portal.calls",
        ),
        (RuntimeError("a value that nobody may read"), "failed (RuntimeError)"),
    ],
)
async def test_a_failure_is_told_and_backs_off_until_it_goes_well_again(house, work_of, error, told, caplog):
    work = work_of()
    work.error = error
    here = house(work)
    dues = []
    for _ in range(3):
        await here.tick()
        dues.append(here.book.states["sync"].due_at - int(here.clock.now) + 1)
        here.clock.now = float(here.book.states["sync"].due_at)
    state = here.book.states["sync"]
    assert (dues, state.failures, state.told, state.succeeded_at) == ([10, 20, 40], 3, told, 0)
    assert "nobody may read" not in caplog.text
    assert f"job sync: {told}" in caplog.messages
    work.error = None
    await here.tick()
    state = here.book.states["sync"]
    assert (state.failures, state.told, state.due_at - state.ended_at) == (0, "4 done", 600)


async def test_what_a_job_tells_is_cut_where_the_ledger_ends(house, work_of):
    work = work_of()
    work.error = JobFailed("x" * 5_000)
    here = house(work)
    await here.tick()
    assert here.book.states["sync"].told == "x" * 2_000


async def test_one_job_that_fails_holds_up_no_other(house, work_of):
    bad, good = work_of("bad"), work_of("good")
    bad.error = RuntimeError()
    here = house(bad, good)
    await here.tick()
    assert (bad.begun, here.book.states["good"].told) == (1, "1 done")


async def test_new_settings_bring_new_jobs_and_what_runs_ends_as_it_began(house, work_of):
    old, new, other = work_of(waits=True), work_of(), work_of("tidy")
    here = house(old)
    await here.tick()
    here.runner.take([new.job, other.job])
    await here.tick()
    assert (new.begun, other.begun) == (0, 1)  # one of that kind still runs
    old.go.set()
    await here.tick()
    assert (here.book.states["sync"].told, old.cancelled) == ("1 done", 0)
    here.clock.now = float(NOW + 700)
    await here.tick()
    assert (old.begun, new.begun) == (1, 1)


async def test_a_job_that_is_no_more_does_not_run_again(house, work_of):
    gone = work_of()
    here = house(gone)
    await here.tick(900.0)
    here.runner.take([])
    await here.tick()
    assert gone.begun == 1


async def test_one_job_is_run_by_hand_when_nobody_leads(house, work_of):
    work, other = work_of(), work_of("tidy")
    here = house(work, other)
    assert await here.runner.run_now("sync") == "1 done"
    assert (other.begun, here.leadership.resigned) == (0, 1)


async def test_nothing_is_run_by_hand_while_another_leads(house, work_of):
    work = work_of()
    here = house(work)
    here.leadership.leads = False
    with pytest.raises(Superseded):
        await here.runner.run_now("sync")
    assert (work.begun, here.leadership.resigned) == (0, 0)


@pytest.mark.parametrize(
    ("error", "told"), [(JobFailed("no answer"), "no answer"), (KeyError("x"), r"failed \(KeyErr")]
)
async def test_what_fails_by_hand_is_told_and_leadership_given_back(house, work_of, error, told):
    work = work_of()
    work.error = error
    here = house(work)
    with pytest.raises(JobFailed, match=told):
        await here.runner.run_now("sync")
    assert (here.leadership.resigned, here.book.states["sync"].failures) == (1, 1)


async def test_a_job_by_hand_may_take_longer_than_a_term(house, work_of):
    work = work_of(waits=True)
    here = house(work)
    here.runner._renew_s = 0.0
    running = asyncio.create_task(here.runner.run_now("sync"))
    await work.entered.wait()
    here.leadership.away = True  # a renewal that fails ends nothing: what is written tells who leads
    for renewals in (2, 3, 4):
        async with asyncio.timeout(10):
            while here.leadership.campaigns < renewals:
                here.leadership.asked.clear()
                await here.leadership.asked.wait()
        here.leadership.away = False
    work.go.set()
    assert await running == "1 done"
    asked = here.leadership.campaigns
    await asyncio.sleep(0)
    assert here.leadership.campaigns == asked


async def test_a_job_that_is_not_due_runs_when_it_is_asked_for(house, work_of):
    work = work_of()
    here = house(work)
    soon = NOW + 30
    here.book.states["sync"] = JobState("sync", due_at=soon)
    await here.tick(20.0)
    assert work.begun == 0
    here.book.states["sync"] = JobState("sync", due_at=soon, asked_at=NOW)
    await here.tick()
    assert work.begun == 1


@pytest.mark.parametrize("failures", [1, 5, 30])
def test_no_retry_of_a_right_clock_is_behind_the_latest(failures):
    job = Job("sync", None, every(60), 900)
    assert retry_at(job, failures, NOW) <= latest_due(job, NOW)
    assert job.next_due(NOW) <= latest_due(job, NOW) < NOW + 86_400
