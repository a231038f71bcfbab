"""One instance leads and writes with its fence; jobs and calls to the portal are recorded."""

import asyncio

import pytest

from relay.domain.jobs import MAX_AHEAD_S, JobState, PortalCall, Superseded, Term

NOW = 1_800_000_000
LASTS_S = 30


@pytest.fixture
def book(ledger):
    return ledger.jobs


@pytest.fixture
async def fence(book):
    return (await book.lead("here", LASTS_S, NOW)).fence


class TestLeading:
    async def test_a_new_ledger_has_no_leader(self, book):
        assert await book.load_leader() is None

    async def test_a_running_term_belongs_to_its_holder(self, book):
        assert await book.lead("here", LASTS_S, NOW) == Term("here", 1, NOW + 30)
        assert await book.lead("there", LASTS_S, NOW + 29) is None
        assert await book.lead("here", LASTS_S, NOW + 29) == Term("here", 1, NOW + 59)
        assert await book.load_leader() == Term("here", 1, NOW + 59)

    @pytest.mark.parametrize("next_holder", ["here", "there"])
    async def test_an_ended_term_is_followed_by_a_new_one(self, book, next_holder):
        await book.lead("here", LASTS_S, NOW)
        assert await book.lead(next_holder, LASTS_S, NOW + 30) == Term(next_holder, 2, NOW + 60)

    @pytest.mark.parametrize("next_holder", ["here", "there"])
    async def test_a_term_of_a_wrong_clock_does_not_block_leadership(self, book, next_holder):
        await book.lead("here", LASTS_S, NOW + MAX_AHEAD_S - LASTS_S)
        assert (await book.load_leader()).is_running(NOW)
        assert not (await book.load_leader()).is_running(NOW - 1)
        assert await book.lead("there", LASTS_S, NOW) is None
        await book.lead("here", LASTS_S, NOW + 10 * 365 * 86_400)
        assert not (await book.load_leader()).is_running(NOW)
        assert await book.lead(next_holder, LASTS_S, NOW) == Term(next_holder, 3, NOW + 30)

    async def test_a_replaced_leader_with_a_wrong_clock_writes_nothing(self, book):
        wrong = await book.lead("here", LASTS_S, NOW + 86_400)
        await book.lead("there", LASTS_S, NOW)
        with pytest.raises(Superseded):
            await book.record_start("send", wrong.fence, NOW + 86_400)

    async def test_one_of_ten_candidates_leads(self, book):
        terms = await asyncio.gather(*[book.lead(f"holder-{number}", LASTS_S, NOW) for number in range(10)])
        assert [term.fence for term in terms if term] == [1]

    async def test_a_yielded_term_can_be_taken_at_once(self, book):
        await book.lead("here", LASTS_S, NOW)
        await book.release_lead("there", NOW + 1)
        assert await book.lead("there", LASTS_S, NOW + 1) is None
        await book.release_lead("here", NOW + 1)
        assert await book.load_leader() == Term("here", 1, NOW + 1)
        assert await book.lead("there", LASTS_S, NOW + 1) == Term("there", 2, NOW + 31)

    async def test_a_leader_elected_elsewhere_has_the_highest_fence(self, book):
        await book.lead("here", LASTS_S, NOW)
        assert await book.take_lead("there", LASTS_S, NOW + 1) == 2
        assert await book.take_lead("there", LASTS_S, NOW + 2) == 3
        assert await book.load_leader() == Term("there", 3, NOW + 32)

    async def test_a_superseded_leader_writes_nothing(self, book, fence):
        await book.record_start("send", fence, NOW)
        before = await book.load_states()
        newer = await book.take_lead("there", LASTS_S, NOW)
        with pytest.raises(Superseded):
            await book.record_start("send", fence, NOW + 1)
        with pytest.raises(Superseded):
            await book.record_end("send", fence, well=True, result="", due_at=0, now=NOW + 1)
        assert await book.load_states() == before
        await book.record_start("send", newer, NOW + 1)


class TestJobs:
    async def test_a_job_is_recorded_from_begin_to_end(self, book, fence):
        assert await book.load_states() == {}
        await book.record_start("sync", fence, NOW)
        assert await book.load_states() == {"sync": JobState("sync", begun_at=NOW)}
        await book.record_end("sync", fence, well=True, result="nothing new", due_at=NOW + 60, now=NOW + 5)
        well = JobState("sync", NOW, NOW + 5, NOW + 5, NOW + 60, 0, 0, "nothing new")
        assert await book.load_states() == {"sync": well}

    async def test_failures_count_until_a_success(self, book, fence):
        for failures, turn in enumerate((NOW, NOW + 10), 1):
            await book.record_start("sync", fence, turn)
            await book.record_end("sync", fence, well=False, result="away", due_at=turn + 10, now=turn + 1)
            state = (await book.load_states())["sync"]
            assert (state.failures, state.succeeded_at, state.ended_at, state.result) == (failures, 0, turn + 1, "away")
        await book.record_end("sync", fence, well=True, result="", due_at=0, now=NOW + 20)
        state = (await book.load_states())["sync"]
        assert (state.failures, state.succeeded_at) == (0, NOW + 20)

    @pytest.mark.parametrize("ahead", [-3600, -1, 0, 1, 3600], ids=lambda ahead: f"clock{ahead:+}")
    async def test_a_request_to_run_is_served_once_whatever_the_clocks(self, book, fence, ahead):
        async def is_waiting():
            state = (await book.load_states())["sync"]
            return state.requested_at > state.begun_at

        await book.request_run("sync", NOW + ahead)
        assert await is_waiting()
        await book.record_start("sync", fence, NOW)
        assert not await is_waiting()
        await book.request_run("sync", NOW + ahead)
        assert await is_waiting()
        await book.record_end("sync", fence, well=True, result="", due_at=0, now=NOW)
        await book.record_start("sync", fence, NOW)
        assert not await is_waiting()
        await book.record_end("sync", fence, well=True, result="", due_at=0, now=NOW)
        state = (await book.load_states())["sync"]
        assert state.ended_at >= state.begun_at

    async def test_a_running_job_began_after_its_last_end(self, book, fence):
        await book.record_start("sync", fence, NOW)
        await book.record_end("sync", fence, well=True, result="", due_at=0, now=NOW)
        await book.record_start("sync", fence, NOW)
        state = (await book.load_states())["sync"]
        assert state.begun_at > state.ended_at
        await book.record_end("sync", fence, well=True, result="", due_at=0, now=NOW)
        state = (await book.load_states())["sync"]
        assert state.ended_at >= state.begun_at


class TestCalls:
    async def test_the_last_calls_come_first(self, book):
        calls = [
            PortalCall(NOW + number / 4, "지원-002", f"ZRAA000001M{number:014}", 1, 200, "00000", 12.5, "ok")
            for number in range(5)
        ]
        for call in calls:
            await book.record_call(call)
        assert await book.load_calls(3) == calls[:1:-1]
        assert await book.load_calls(100) == calls[::-1]


async def test_times_of_a_clock_ahead_are_reset_at_the_next_start(book):
    """A job ran and was requested with a clock 30 days ahead; then the clock is right again."""
    ahead = NOW + 30 * 86_400
    wrong = await book.lead("here", LASTS_S, ahead)
    await book.request_run("send", ahead)
    await book.record_start("send", wrong.fence, ahead)
    await book.record_end("send", wrong.fence, well=True, result="sent", due_at=ahead + 60, now=ahead)
    await book.request_run("send", ahead + 1)
    term = await book.lead("here", LASTS_S, NOW)
    await book.record_start("send", term.fence, NOW)
    running = (await book.load_states())["send"]
    assert NOW <= running.begun_at <= NOW + 1
    assert max(running.requested_at, running.ended_at) <= running.begun_at
    await book.record_end("send", term.fence, well=True, result="sent", due_at=NOW + 60, now=NOW + 5)
    state = (await book.load_states())["send"]
    assert (state.succeeded_at, state.ended_at, state.due_at) == (NOW + 5, NOW + 5, NOW + 60)
