"""Jobs run when they are due or requested, and never two of one kind at once."""

import asyncio

import pytest

from relay.domain.jobs import JobState, Superseded
from relay.jobs.runner import RETRY_S, Job, JobFailed, every, is_due, latest_due, retry_at, summarize_failure

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({}, True),  # never ran
        ({"due_at": NOW}, True),
        ({"due_at": NOW + 1}, False),
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 9, "requested_at": NOW - 8}, True),
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 9, "requested_at": NOW - 9}, False),
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 20, "requested_at": NOW - 9}, True),  # broken off
        ({"due_at": NOW + 1, "begun_at": NOW - 9, "ended_at": NOW - 3}, False),
        ({"due_at": NOW + 3600, "begun_at": NOW - 9, "ended_at": NOW - 3}, False),
        ({"due_at": NOW + 3601, "begun_at": NOW - 9, "ended_at": NOW - 3}, True),  # a clock was wrong
    ],
)
def test_a_job_is_due_by_time_request_or_interruption(state, due):
    assert is_due(JobState("sync", **state), NOW, NOW + 3600) is due


@pytest.mark.parametrize(
    ("failures", "every_s", "waits"),
    [(0, 600, RETRY_S), (1, 600, 2 * RETRY_S), (5, 600, 320), (6, 600, 600), (1000, 86_400, 86_400), (0, 5, 5)],
)
def test_each_failure_doubles_the_wait_up_to_the_jobs_period(failures, every_s, waits):
    job = Job("sync", None, every(every_s), every_s)
    assert retry_at(job, failures, NOW) == NOW + waits


async def test_a_new_job_runs_at_once_and_then_by_its_time(make_harness, make_work):
    work = make_work()
    harness = make_harness(work)
    await harness.tick()
    assert (work.fences, harness.store.states["sync"].result) == ([(1, NOW)], "1 done")
    assert harness.store.states["sync"].due_at == NOW + 600
    await harness.tick(598.0)
    assert work.started == 1
    harness.clock.now = float(NOW + 600)
    await harness.tick()
    assert work.started == 2


async def test_a_requested_job_runs_once_before_its_time(make_harness, make_work):
    work = make_work()
    harness = make_harness(work)
    await harness.tick(60.0)
    harness.store.request_run("sync", NOW + 60)
    for _ in range(3):
        await harness.tick()
    assert work.started == 2


async def test_a_job_with_work_to_do_runs_before_its_time(make_harness, make_work):
    wants = [False, True, False]

    async def wanted():
        return wants.pop(0)

    work = make_work(wanted=wanted)
    harness = make_harness(work)
    await harness.tick()  # due: `wanted` is not called
    for expected in (1, 2, 2):
        await harness.tick()
        assert work.started == expected


async def test_a_failed_job_waits_even_if_it_has_work(make_harness, make_work):
    async def wanted():
        return True

    work = make_work(wanted=wanted)
    work.error = JobFailed("the portal does not answer")
    harness = make_harness(work)
    for _ in range(RETRY_S):
        await harness.tick()
    assert work.started == 1
    await harness.tick()
    assert work.started == 2


async def test_two_runs_of_one_job_never_overlap(make_harness, make_work):
    work, other = make_work(waits=True), make_work("tidy")
    harness = make_harness(work, other)
    await harness.tick()
    harness.store.request_run("sync", NOW + 1)
    for _ in range(5):
        await harness.tick()
    assert (work.started, other.started) == (1, 1)
    work.go.set()
    await harness.tick()
    assert harness.store.states["sync"].result == "1 done"
    await harness.tick()
    assert work.started == 2  # a request during a run gets a run that starts later


async def test_a_job_that_ends_while_states_are_read_runs_once(make_harness, make_work):
    work = make_work(waits=True)
    harness = make_harness(work)
    await harness.tick()
    harness.store.delay = 5
    work.go.set()
    await harness.tick()
    await harness.tick()
    assert (work.started, harness.store.states["sync"].result) == (1, "1 done")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (
            JobFailed("the portal refuses the secret: see portal.calls"),
            "the portal refuses the secret: see portal.calls",
        ),
        (RuntimeError("a value that must stay secret"), "failed (RuntimeError)"),
    ],
)
async def test_a_failure_is_logged_and_backs_off_until_a_success(make_harness, make_work, error, outcome, caplog):
    work = make_work()
    work.error = error
    harness = make_harness(work)
    dues = []
    for _ in range(3):
        await harness.tick()
        dues.append(harness.store.states["sync"].due_at - int(harness.clock.now) + 1)
        harness.clock.now = float(harness.store.states["sync"].due_at)
    state = harness.store.states["sync"]
    assert (dues, state.failures, state.result, state.succeeded_at) == ([10, 20, 40], 3, outcome, 0)
    assert "must stay secret" not in caplog.text
    assert f"job sync: {outcome}" in caplog.messages
    work.error = None
    await harness.tick()
    state = harness.store.states["sync"]
    assert (state.failures, state.result, state.due_at - state.ended_at) == (0, "4 done", 600)


async def test_the_same_failure_is_logged_once_in_ten_minutes(make_harness, make_work, caplog):
    work = make_work()
    harness = make_harness(work)

    async def fail(outcome, seconds):
        caplog.clear()
        work.error = JobFailed(outcome) if outcome else None
        harness.clock.now = max(harness.clock.now + seconds, float(harness.store.states["sync"].due_at)
                                if "sync" in harness.store.states else 0.0)  # fmt: skip
        await harness.tick()
        return [message for message in caplog.messages if message.startswith("job sync")]

    assert await fail("down", 0) == ["job sync: down"]
    assert await fail("down", 10) == []
    assert await fail("refused", 10) == ["job sync: refused"]
    assert await fail("refused", 10) == []
    assert await fail("refused", 600) == ["job sync: refused failures=2"]
    assert await fail(None, 600) == []
    assert await fail("refused", 600) == ["job sync: refused"]


@pytest.mark.parametrize(
    ("problems", "line"),
    [
        ([], "지원-002 is invalid: 2 problems:"),
        (["org_list[0]: is none"], "지원-002 is invalid: 2 problems: org_list[0]: is none"),
        (["a", "b", "c"], "지원-002 is invalid: 2 problems: a; 2 more: relay jobs list --json"),
    ],
)
def test_a_failure_is_summarized_in_one_line(problems, line):
    assert summarize_failure("\n".join(["지원-002 is invalid: 2 problems:", *problems])) == line


async def test_a_long_outcome_is_cut_to_the_ledgers_limit(make_harness, make_work):
    work = make_work()
    work.error = JobFailed("x" * 5_000)
    harness = make_harness(work)
    await harness.tick()
    assert harness.store.states["sync"].result == "x" * 2_000


async def test_a_failing_job_delays_no_other(make_harness, make_work):
    bad, good = make_work("bad"), make_work("good")
    bad.error = RuntimeError()
    harness = make_harness(bad, good)
    await harness.tick()
    assert (bad.started, harness.store.states["good"].result) == (1, "1 done")


async def test_new_settings_replace_jobs_and_running_ones_end_normally(make_harness, make_work):
    old, new, other = make_work(waits=True), make_work(), make_work("tidy")
    harness = make_harness(old)
    await harness.tick()
    harness.runner.replace_jobs([new.job, other.job])
    await harness.tick()
    assert (new.started, other.started) == (0, 1)  # one of that kind still runs
    old.go.set()
    await harness.tick()
    assert (harness.store.states["sync"].result, old.cancelled) == ("1 done", 0)
    harness.clock.now = float(NOW + 700)
    await harness.tick()
    assert (old.started, new.started) == (1, 1)


async def test_a_removed_job_does_not_run_again(make_harness, make_work):
    gone = make_work()
    harness = make_harness(gone)
    await harness.tick(900.0)
    harness.runner.replace_jobs([])
    await harness.tick()
    assert gone.started == 1


async def test_a_job_is_run_by_hand_when_no_instance_leads(make_harness, make_work):
    work, other = make_work(), make_work("tidy")
    harness = make_harness(work, other)
    assert await harness.runner.run_now("sync") == "1 done"
    assert (other.started, harness.leadership.resigned) == (0, 1)


async def test_no_job_is_run_by_hand_while_another_instance_leads(make_harness, make_work):
    work = make_work()
    harness = make_harness(work)
    harness.leadership.leads = False
    with pytest.raises(Superseded):
        await harness.runner.run_now("sync")
    assert (work.started, harness.leadership.resigned) == (0, 0)


@pytest.mark.parametrize(
    ("error", "outcome"), [(JobFailed("no answer"), "no answer"), (KeyError("x"), r"failed \(KeyErr")]
)
async def test_a_failure_by_hand_is_raised_and_leadership_given_up(make_harness, make_work, error, outcome):
    work = make_work()
    work.error = error
    harness = make_harness(work)
    with pytest.raises(JobFailed, match=outcome):
        await harness.runner.run_now("sync")
    assert (harness.leadership.resigned, harness.store.states["sync"].failures) == (1, 1)


async def test_a_job_by_hand_may_take_longer_than_a_term(make_harness, make_work):
    work = make_work(waits=True)
    harness = make_harness(work, term_s=0.0)
    running = asyncio.create_task(harness.runner.run_now("sync"))
    await work.entered.wait()
    harness.leadership.away = True  # a failed renewal ends nothing: writes check the fence
    for renewals in (2, 3, 4):
        async with asyncio.timeout(10):
            while harness.leadership.campaigns < renewals:
                harness.leadership.asked.clear()
                await harness.leadership.asked.wait()
        harness.leadership.away = False
    work.go.set()
    assert await running == "1 done"
    campaigns = harness.leadership.campaigns
    await asyncio.sleep(0)
    assert harness.leadership.campaigns == campaigns


async def test_a_job_that_is_not_due_runs_when_requested(make_harness, make_work):
    work = make_work()
    harness = make_harness(work)
    soon = NOW + 30
    harness.store.states["sync"] = JobState("sync", due_at=soon)
    await harness.tick(20.0)
    assert work.started == 0
    harness.store.states["sync"] = JobState("sync", due_at=soon, requested_at=NOW)
    await harness.tick()
    assert work.started == 1


@pytest.mark.parametrize("failures", [1, 5, 30])
def test_every_regular_retry_is_before_the_latest_due_time(failures):
    job = Job("sync", None, every(60), 900)
    assert retry_at(job, failures, NOW) <= latest_due(job, NOW)
    assert job.next_due(NOW) <= latest_due(job, NOW) < NOW + 86_400
