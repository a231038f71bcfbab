"""Jobs run when they are due or asked for, while this instance leads, and never two of one kind at once."""

import asyncio
from dataclasses import replace

import pytest

from relay.domain.jobs import JobState, Superseded, Term
from relay.jobs.runner import RETRY_S, Job, JobFailed, Runner, every, is_due, retry_at

NOW = 1_800_000_000
TERM_S = 15


class LedgerAway(Exception):
    """What a driver raises."""


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
async def house():
    """Makes houses; nothing of them runs on after the test."""
    made = []

    def build(*works):
        made.append(House(*works))
        return made[-1]

    yield build
    for one in made:
        await one.runner._stand_down()


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
    ],
)
def test_a_job_is_due_by_its_time_when_asked_for_or_when_broken_off(state, due):
    assert is_due(JobState("sync", **state), NOW) is due


@pytest.mark.parametrize(
    ("failures", "every_s", "waits"),
    [(0, 600, RETRY_S), (1, 600, 2 * RETRY_S), (5, 600, 320), (6, 600, 600), (1000, 86_400, 86_400), (0, 5, 5)],
)
def test_each_failure_in_a_row_doubles_the_wait_up_to_the_jobs_own_period(failures, every_s, waits):
    job = Job("sync", Work().run, every(every_s), every_s)
    assert retry_at(job, failures, NOW) == NOW + waits


async def test_what_never_ran_runs_at_once_and_then_when_its_time_comes(house):
    work = Work()
    here = house(work)
    await here.tick()
    assert (work.fences, here.book.states["sync"].told) == ([(1, NOW)], "1 done")
    assert here.book.states["sync"].due_at == NOW + 600
    await here.tick(598.0)
    assert work.begun == 1
    here.clock.now = float(NOW + 600)
    await here.tick()
    assert work.begun == 2


async def test_who_does_not_lead_runs_nothing_and_asks_each_second(house):
    work = Work()
    here = house(work)
    here.leadership.leads = False
    for _ in range(5):
        await here.tick()
    assert (work.begun, here.leadership.campaigns, here.runner.term) == (0, 5, None)


async def test_who_leads_renews_its_term_long_before_it_ends(house):
    here = house(Work())
    for _ in range(TERM_S * 4):
        await here.tick()
        assert here.runner.term.until > here.clock.now
    assert here.leadership.campaigns == 4 * 3


async def test_a_clock_that_went_back_keeps_nobody_from_renewing(house):
    here = house(Work())
    await here.tick(-3600.0)
    await here.tick()
    assert here.leadership.campaigns == 2


async def test_what_is_asked_for_runs_although_it_is_not_due_and_once(house):
    work = Work()
    here = house(work)
    await here.tick(60.0)
    here.book.ask("sync", NOW + 60)
    for _ in range(3):
        await here.tick()
    assert work.begun == 2


async def test_a_job_that_has_something_to_do_runs_whatever_its_time(house):
    wants = [False, True, False]

    async def wanted():
        return wants.pop(0)

    work = Work(wanted=wanted)
    here = house(work)
    await here.tick()  # due: nobody asks what it wants
    for expected in (1, 2, 2):
        await here.tick()
        assert work.begun == expected


async def test_a_job_that_failed_waits_whatever_it_wants(house):
    async def wanted():
        return True

    work = Work(wanted=wanted)
    work.error = JobFailed("the portal does not answer")
    here = house(work)
    for _ in range(RETRY_S):
        await here.tick()
    assert work.begun == 1
    await here.tick()
    assert work.begun == 2


async def test_two_of_one_kind_never_run_at_once(house):
    work, other = Work(waits=True), Work("tidy")
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
async def test_a_failure_is_told_and_backs_off_until_it_goes_well_again(house, error, told, caplog):
    work = Work()
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


async def test_what_a_job_tells_is_cut_where_the_ledger_ends(house):
    work = Work()
    work.error = JobFailed("x" * 5_000)
    here = house(work)
    await here.tick()
    assert here.book.states["sync"].told == "x" * 2_000


async def test_one_job_that_fails_holds_up_no_other(house):
    bad, good = Work("bad"), Work("good")
    bad.error = RuntimeError()
    here = house(bad, good)
    await here.tick()
    assert (bad.begun, here.book.states["good"].told) == (1, "1 done")


async def test_a_term_lost_in_the_middle_ends_what_runs(house):
    work = Work(waits=True)
    here = house(work)
    await here.tick(TERM_S / 3)
    here.leadership.another_leads()
    await here.tick()
    assert (work.cancelled, here.runner.term) == (1, None)
    assert here.book.wrote == [("sync", "begun_at")]


async def test_a_job_that_was_broken_off_runs_again_under_the_next_term(house):
    work = Work(waits=True)
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


async def test_a_term_that_ran_out_unrenewed_ends_what_runs(house):
    work = Work(waits=True)
    here = house(work)
    await here.tick()
    here.leadership.away = True
    await here.tick(TERM_S - 3.0)
    assert (work.cancelled, here.runner.term.fence) == (0, 1)  # a moment without an answer ends nothing
    here.clock.now = float(NOW + TERM_S)
    await here.tick()
    assert (work.cancelled, here.runner.term) == (1, None)


async def test_who_hears_that_another_wrote_since_gives_its_term_back_and_draws_another(house, caplog):
    """A lock that came back from a failover still names us, while the ledger has seen a higher fence."""
    work = Work(waits=True)
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


async def test_superseded_within_a_job_is_no_failure_of_it(house):
    work = Work()
    work.error = Superseded()
    here = house(work)
    await here.tick()
    assert (here.book.states["sync"].failures, here.book.states["sync"].ended_at) == (0, 0)


async def test_a_ledger_that_is_away_is_told_once_and_its_return_goes_on(house, caplog):
    work = Work()
    here = house(work)
    here.book.away = True
    for _ in range(4):
        await here.tick()
    assert (work.begun, caplog.messages.count("jobs wait: LedgerAway")) == (0, 1)
    here.book.away = False
    await here.tick()
    assert work.begun == 1
    here.book.away = True
    await here.tick()
    assert caplog.messages.count("jobs wait: LedgerAway") == 2


async def test_a_ledger_that_goes_while_a_job_runs_makes_it_run_again(house, caplog):
    work = Work(waits=True)
    here = house(work)
    await here.tick()
    here.book.away = True
    work.go.set()
    await here.tick()
    assert "job sync: its state could not be kept (LedgerAway)" in caplog.messages
    here.book.away = False
    await here.tick()
    assert (work.begun, here.book.states["sync"].told) == (2, "2 done")


async def test_new_settings_bring_new_jobs_and_what_runs_ends_as_it_began(house):
    old, new, other = Work(waits=True), Work(), Work("tidy")
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


async def test_a_job_that_is_no_more_does_not_run_again(house):
    gone = Work()
    here = house(gone)
    await here.tick(900.0)
    here.runner.take([])
    await here.tick()
    assert gone.begun == 1


async def test_at_the_stop_what_runs_is_ended_and_leadership_given_back(house):
    work = Work(waits=True)
    here = house(work)
    stop = asyncio.Event()
    following = asyncio.create_task(here.runner.follow(stop))
    await work.entered.wait()
    stop.set()
    await following
    assert (work.cancelled, here.leadership.resigned, here.runner.term) == (1, 1, None)


async def test_who_never_led_has_nothing_to_give_back(house):
    here = house(Work())
    here.leadership.leads = False
    stop = asyncio.Event()
    following = asyncio.create_task(here.runner.follow(stop))
    await here.leadership.asked.wait()
    stop.set()
    await following
    assert here.leadership.resigned == 0


async def test_a_stop_while_nobody_answers_is_a_stop(house, caplog):
    work = Work(waits=True)
    here = house(work)
    stop = asyncio.Event()
    following = asyncio.create_task(here.runner.follow(stop))
    await work.entered.wait()
    here.leadership.away = True
    stop.set()
    await following
    assert "leadership could not be given back (LedgerAway): it runs out by itself" in caplog.messages


async def test_one_job_is_run_by_hand_when_nobody_leads(house):
    work, other = Work(), Work("tidy")
    here = house(work, other)
    assert await here.runner.run_now("sync") == "1 done"
    assert (other.begun, here.leadership.resigned) == (0, 1)


async def test_nothing_is_run_by_hand_while_another_leads(house):
    work = Work()
    here = house(work)
    here.leadership.leads = False
    with pytest.raises(Superseded):
        await here.runner.run_now("sync")
    assert (work.begun, here.leadership.resigned) == (0, 0)


@pytest.mark.parametrize(
    ("error", "told"), [(JobFailed("no answer"), "no answer"), (KeyError("x"), r"failed \(KeyErr")]
)
async def test_what_fails_by_hand_is_told_and_leadership_given_back(house, error, told):
    work = Work()
    work.error = error
    here = house(work)
    with pytest.raises(JobFailed, match=told):
        await here.runner.run_now("sync")
    assert (here.leadership.resigned, here.book.states["sync"].failures) == (1, 1)


async def test_a_job_by_hand_may_take_longer_than_a_term(house):
    work = Work(waits=True)
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
