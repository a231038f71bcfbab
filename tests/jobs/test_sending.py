"""지원-005 goes out on Monday, again when asked, again when figures came late, and never twice without a reason."""

from dataclasses import replace
from datetime import datetime

import pytest
from simulated.memory import Book, ToldPortal

from relay.domain.authorization.consent import KOREA
from relay.domain.jobs import Superseded
from relay.domain.portal import PortalAway, PortalRefused
from relay.domain.statistics import ConsentCount, Line, Sending, SendingState
from relay.jobs.runner import JobFailed
from relay.jobs.sending import StatisticsSending
from relay.policy.statistics.report import content_of, provider_report
from relay.policy.statistics.weeks import days_of

BANK, CARD = "A1AAAA0000", "A2AAAA0000"
WEEK, BEFORE = "20260705", "20260628"
CALL = Line("20260701", "00", BANK, "OPAAAA0000", "client1", "2", "BA01", "200_00000")


def at(text):
    """Epoch seconds of `YYYYMMDD hhmmss` in Korea."""
    return int(datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=KOREA).timestamp())


MONDAY = at("20260706 040000")


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def portal():
    return ToldPortal()


@pytest.fixture
def members():
    return [BANK]


@pytest.fixture
def job(book, portal, members):
    return StatisticsSending(book, portal, lambda: members, "0400")


async def test_a_relay_that_counted_nothing_sends_nothing(job, portal):
    assert await job.run(1, MONDAY) == "nothing to send"
    assert portal.had == []


async def test_a_week_goes_out_at_mondays_hour_and_not_a_second_before(job, book, portal):
    book.count(CALL)
    assert await job.run(1, MONDAY - 1) == "nothing to send"
    assert await job.run(1, MONDAY) == "2 of 2 sent"
    assert portal.keys == [(WEEK, BANK, "1"), (WEEK, BANK, "2")]
    assert portal.had[1] == provider_report(WEEK, BANK, "2", [(CALL, 1)], [])


async def test_consents_stand_in_what_is_sent(job, book, portal):
    book.count(CALL)
    book.consents = [ConsentCount("20260704", BANK, "OPAAAA0000", "client1", 1, 2, 3)]
    await job.run(1, MONDAY)
    assert portal.had[1] == provider_report(WEEK, BANK, "2", [(CALL, 1)], book.consents)


async def test_what_was_accepted_is_not_sent_again(job, book, portal):
    book.count(CALL)
    await job.run(1, MONDAY)
    assert await job.run(1, MONDAY + 60) == "nothing to send"
    assert len(portal.had) == 2


async def test_what_was_sent_and_the_answer_are_kept_before_and_after(job, book):
    book.count(CALL)
    await job.run(1, MONDAY)
    before, after = (one for one in book.kept if one.type == "2" and one.attempts)
    content = content_of(provider_report(WEEK, BANK, "2", [(CALL, 1)], []))
    waiting = Sending(
        WEEK, BANK, "2", SendingState.WAITING, attempts=1, tried_at=MONDAY, counted_at=MONDAY, content=content
    )
    assert before == waiting
    assert after == replace(waiting, state=SendingState.ACCEPTED, accepted_at=MONDAY, tran_id="tran2", rsp_code="00000")


async def test_members_without_a_call_are_told_with_zeros_and_who_left_with_what_was_counted(
    job, book, portal, members
):
    book.count(CALL)
    members[:] = [CARD]
    assert await job.run(1, MONDAY) == "4 of 4 sent"
    assert portal.keys == [(WEEK, who, kind) for who in (BANK, CARD) for kind in "12"]
    assert portal.had[2] == provider_report(WEEK, CARD, "1", [], [])


async def test_a_new_member_owes_nothing_for_weeks_before_it_came(job, book, portal, members):
    book.count(CALL)
    await job.run(1, MONDAY)
    members.append(CARD)
    await job.run(1, at("20260713 040000"))
    assert [key for key in portal.keys if key[1] == CARD] == [("20260712", CARD, "1"), ("20260712", CARD, "2")]


async def test_missed_mondays_are_made_up_for_the_oldest_first(job, book, portal):
    book.count(CALL._replace(stat_date="20260615"))
    book.count(CALL)
    await job.run(1, at("20260708 120000"))
    assert [week for week, _, kind in portal.keys if kind == "1"] == ["20260621", "20260628", "20260705"]


async def test_a_missed_monday_is_made_up_for_though_another_came_meanwhile(job, book, portal, members):
    """A member nobody counted is told of in both weeks."""
    book.count(CALL)
    members[:] = [CARD]
    await job.run(1, at("20260713 040000"))
    assert {(week, who) for week, who, _ in portal.keys} == {(WEEK, BANK), (WEEK, CARD), ("20260712", CARD)}


async def test_a_leader_that_died_while_it_wrote_down_what_is_owed_leaves_nobody_out(job, book, portal, members):
    book.count(CALL._replace(stat_date="20260501"))
    book.count(CALL._replace(stat_date="20260501", provider=CARD))
    keep, room = book.keep_sending, [3]

    async def keep_a_few(sending, fence, now):
        room[0] -= 1
        if room[0] < 0:
            raise Superseded
        await keep(sending, fence, now)

    book.keep_sending = keep_a_few
    with pytest.raises(Superseded):
        await job.run(1, MONDAY)
    book.keep_sending = keep
    await job.run(2, MONDAY)
    assert {(who, kind) for week, who, kind in portal.keys if week == "20260503"} == {
        (who, kind) for who in (BANK, CARD) for kind in "12"
    }


async def test_at_most_fifty_three_weeks_are_made_up_for(job, book, portal):
    book.count(CALL._replace(stat_date="20240101"))
    await job.run(1, MONDAY)
    assert len({week for week, _, _ in portal.keys}) == 53


async def test_a_refused_message_is_told_and_tried_again_and_the_others_go_on(job, book, portal):
    book.count(CALL)
    portal.whims = [PortalRefused(400, "40001")]
    with pytest.raises(
        JobFailed, match=f"1 of 2 sent, 1 refused by the portal, first {BANK} of {WEEK}, type 1 .HTTP 400"
    ):
        await job.run(1, MONDAY)
    assert [(row.state, row.rsp_code) for row in book.rows.values()] == [
        (SendingState.REFUSED, "40001"),
        (SendingState.ACCEPTED, "00000"),
    ]
    assert await job.run(1, MONDAY + 60) == "1 of 1 sent"
    assert portal.keys == [(WEEK, BANK, "2"), (WEEK, BANK, "1")]
    assert book.rows[WEEK, BANK, "1"].attempts == 2


async def test_a_portal_that_is_away_ends_the_run_and_nothing_is_lost(job, book, portal):
    book.count(CALL)
    portal.whims = [None, PortalAway("HTTP 500")]
    with pytest.raises(JobFailed, match=r"the portal is away \(HTTP 500\); 1 of 2 sent; the rest waits"):
        await job.run(1, MONDAY)
    assert book.rows[WEEK, BANK, "2"].state is SendingState.WAITING
    assert await job.run(1, MONDAY + 60) == "1 of 1 sent"
    assert {row.state for row in book.rows.values()} == {SendingState.ACCEPTED}


async def test_members_of_a_week_that_the_portal_missed_are_owed_when_the_next_one_is_the_last(
    job, book, portal, members
):
    book.count(CALL)
    members.append(CARD)
    portal.whims = [PortalAway("timed out")]
    with pytest.raises(JobFailed):
        await job.run(1, MONDAY)
    portal.had.clear()
    members.remove(CARD)
    await job.run(1, at("20260713 040000"))
    assert {(week, who) for week, who, _ in portal.keys} == {(WEEK, BANK), (WEEK, CARD), ("20260712", BANK)}


async def test_an_answer_that_got_lost_makes_the_same_message_go_again(job, book, portal):
    book.count(CALL)
    portal.whims = [PortalAway("hung up")]
    with pytest.raises(JobFailed):
        await job.run(1, MONDAY)
    await job.run(1, MONDAY + 60)
    assert portal.keys[:2] == [(WEEK, BANK, "1")] * 2
    assert portal.had[0] == portal.had[1]


async def test_figures_that_came_late_make_the_message_go_again(job, book, portal):
    book.count(CALL)
    await job.run(1, MONDAY)
    book.count(CALL, 5, when=MONDAY + 10)
    assert await job.run(1, MONDAY + 60) == "1 of 2 sent, 1 still as they were sent"
    assert portal.had[2] == provider_report(WEEK, BANK, "2", [(CALL, 6)], [])
    assert book.rows[WEEK, BANK, "2"].attempts == 2


async def test_a_batch_that_was_stamped_before_it_could_be_seen_is_noticed(job, book, portal):
    book.count(CALL)
    await job.run(1, MONDAY)
    book.count(CALL, 5, when=MONDAY - 100)
    assert await job.run(1, MONDAY + 60) == "1 of 2 sent, 1 still as they were sent"


async def test_figures_that_came_more_than_four_weeks_late_wait_until_the_portal_asks(job, book, portal):
    book.count(CALL)
    await job.run(1, MONDAY)
    now = at("20260803 040000")
    await job.run(1, now)
    book.count(CALL, 5, when=now)
    assert await job.run(1, now + 60) == "nothing to send"
    await book.ask_again(WEEK, BANK, ["2"], now + 70)
    assert await job.run(1, now + 80) == "1 of 1 sent"
    assert portal.had[-1] == provider_report(WEEK, BANK, "2", [(CALL, 6)], [])


async def test_what_the_portal_asks_for_goes_first_and_once(job, book, portal):
    book.count(CALL._replace(stat_date="20260620"))
    await job.run(1, at("20260622 040000"))
    portal.had.clear()
    await book.ask_again("20260621", BANK, ["1", "2"], MONDAY - 5)
    assert await job.wanted(MONDAY)
    await job.run(1, MONDAY)
    assert portal.keys == [(week, BANK, kind) for week in ("20260621", BEFORE, WEEK) for kind in "12"]
    assert not await job.wanted(MONDAY)
    assert await job.run(1, MONDAY + 60) == "nothing to send"


async def test_the_portal_is_told_zeros_of_weeks_nobody_counted_in(job, book, portal):
    await book.ask_again(WEEK, BANK, ["1"], MONDAY)
    assert await job.run(1, MONDAY) == "1 of 1 sent"
    assert portal.had == [provider_report(WEEK, BANK, "1", [], [])]


@pytest.mark.parametrize(
    ("week", "sent"), [("20260712", 0), (WEEK, 1), ("20250706", 1), ("20250629", 0), ("20260706", 0)]
)
async def test_the_portal_may_ask_for_the_last_fifty_three_complete_weeks(job, book, portal, week, sent):
    await book.ask_again(week, BANK, ["2"], MONDAY)
    assert await job.wanted(MONDAY) is bool(sent)
    await job.run(1, MONDAY)
    assert len(portal.had) == sent


async def test_a_week_asked_for_on_sunday_still_goes_out_for_everybody_on_monday(job, book, portal, members):
    book.count(CALL)
    members.append(CARD)
    await book.ask_again(WEEK, BANK, ["2"], MONDAY - 3600)
    assert await job.run(1, MONDAY - 3600) == "1 of 1 sent"
    assert await job.run(1, MONDAY) == "3 of 3 sent"


async def test_asking_while_a_message_is_on_its_way_makes_it_go_again(job, book, portal):
    book.count(CALL)

    async def ask_then_take(body):
        await book.ask_again(WEEK, BANK, [body["type"]], MONDAY + 1)
        return await ToldPortal.send_statistics(portal, body)

    portal.send_statistics = ask_then_take
    await job.run(1, MONDAY)
    del portal.send_statistics
    assert await job.wanted(MONDAY + 2)
    assert await job.run(1, MONDAY + 2) == "2 of 2 sent"
    assert not await job.wanted(MONDAY + 3)


async def test_a_refused_message_that_was_asked_for_is_tried_once_in_a_run(job, book, portal):
    book.count(CALL)
    await book.ask_again(WEEK, BANK, ["1"], MONDAY)
    portal.whims = [PortalRefused(400, "40001")]
    with pytest.raises(JobFailed, match="1 of 2 sent, 1 refused"):
        await job.run(1, MONDAY)
    assert book.rows[WEEK, BANK, "1"].attempts == 1
    assert book.rows[WEEK, BANK, "1"].asked


async def test_a_leader_that_is_superseded_before_sending_sends_nothing(job, book, portal):
    book.count(CALL)
    book.fence = 2
    with pytest.raises(Superseded):
        await job.run(1, MONDAY)
    assert portal.had == []


async def test_what_a_leader_sent_before_another_led_is_sent_again_by_that_one(job, book, portal):
    book.count(CALL)

    async def take_then_lose_the_lead(body):
        told = await ToldPortal.send_statistics(portal, body)
        book.fence = 2
        return told

    portal.send_statistics = take_then_lose_the_lead
    with pytest.raises(Superseded):
        await job.run(1, MONDAY)
    del portal.send_statistics
    assert book.rows[WEEK, BANK, "1"].state is SendingState.WAITING
    assert await job.run(2, MONDAY + 15) == "2 of 2 sent"
    assert portal.had[0] == portal.had[1]


@pytest.mark.parametrize("week", ["20240303", "20270103", "20260705"])
async def test_any_week_of_the_calendar_is_sent_whole(job, book, portal, week):
    days = days_of(week)
    for number, day in enumerate(days, 1):
        book.count(CALL._replace(stat_date=day), number)
    await job.run(1, job.next_due(at(f"{week} 000000")))
    figures = [
        day["mydata_svc_list"][0]["api_type_list"][0]["tm_slot_list"][0]["success_api_cnt"]
        for day in portal.had[1]["stat_date_list"]
    ]
    assert figures == ["1", "2", "3", "4", "5", "6", "7"]


def test_the_job_is_due_again_on_the_next_monday(job):
    assert job.next_due(MONDAY) == at("20260713 040000")
