"""지원-005 is sent on Monday, again when requested, again after late figures, and never twice without a reason."""

from dataclasses import replace
from datetime import datetime

import pytest
from simulated.memory import FakePortal, FakeStore

from relay.domain.jobs import Superseded
from relay.domain.korea import KOREA
from relay.domain.portal import PortalDown, PortalRefused
from relay.domain.statistics import ConsentCount, Line, Sending, SendingState
from relay.jobs.runner import JobFailed
from relay.jobs.sending import StatisticsSender
from relay.policy.statistics.report import build_report, serialize_report
from relay.policy.statistics.weeks import days_of

BANK, CARD = "A1AAAA0000", "A2AAAA0000"
WEEK, BEFORE = "20260705", "20260628"
CALL = Line("20260701", "00", BANK, "OPAAAA0000", "client1", "2", "BA01", "200_00000")


def at(text):
    """Returns `YYYYMMDD hhmmss` in Korea in epoch seconds."""
    return int(datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=KOREA).timestamp())


MONDAY = at("20260706 040000")


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
def portal():
    return FakePortal()


@pytest.fixture
def members():
    return [BANK]


@pytest.fixture
def job(store, portal, members):
    return StatisticsSender(store, portal, lambda: members, "0400")


async def test_without_counts_nothing_is_sent(job, portal):
    assert await job.run(1, MONDAY) == "nothing to send"
    assert portal.received == []


async def test_a_week_is_sent_at_mondays_hour_and_not_before(job, store, portal):
    store.count(CALL)
    assert await job.run(1, MONDAY - 1) == "nothing to send"
    assert await job.run(1, MONDAY) == "2 of 2 sent"
    assert portal.keys == [(WEEK, BANK, "1"), (WEEK, BANK, "2")]
    assert portal.received[1] == build_report(WEEK, BANK, "2", [(CALL, 1)], [])


async def test_messages_contain_consents(job, store, portal):
    store.count(CALL)
    store.consents = [ConsentCount("20260704", BANK, "OPAAAA0000", "client1", 1, 2, 3)]
    await job.run(1, MONDAY)
    assert portal.received[1] == build_report(WEEK, BANK, "2", [(CALL, 1)], store.consents)


async def test_an_accepted_message_is_not_sent_again(job, store, portal):
    store.count(CALL)
    await job.run(1, MONDAY)
    assert await job.run(1, MONDAY + 60) == "nothing to send"
    assert len(portal.received) == 2


async def test_a_message_is_stored_before_sending_and_after_the_response(job, store):
    store.count(CALL)
    await job.run(1, MONDAY)
    before, after = (sending for sending in store.saved if sending.type == "2" and sending.attempts)
    content = serialize_report(build_report(WEEK, BANK, "2", [(CALL, 1)], []))
    waiting = Sending(
        WEEK, BANK, "2", SendingState.WAITING, attempts=1, tried_at=MONDAY, counted_at=MONDAY, content=content
    )
    assert before == waiting
    assert after == replace(waiting, state=SendingState.ACCEPTED, accepted_at=MONDAY, tran_id="tran2", rsp_code="00000")


async def test_members_without_calls_and_former_members_are_reported(job, store, portal, members):
    store.count(CALL)
    members[:] = [CARD]
    assert await job.run(1, MONDAY) == "4 of 4 sent"
    assert portal.keys == [(WEEK, provider, kind) for provider in (BANK, CARD) for kind in "12"]
    assert portal.received[2] == build_report(WEEK, CARD, "1", [], [])


async def test_a_new_member_owes_nothing_for_earlier_weeks(job, store, portal, members):
    store.count(CALL)
    await job.run(1, MONDAY)
    members.append(CARD)
    await job.run(1, at("20260713 040000"))
    assert [key for key in portal.keys if key[1] == CARD] == [("20260712", CARD, "1"), ("20260712", CARD, "2")]


async def test_missed_mondays_are_made_up_for_oldest_first(job, store, portal):
    store.count(CALL._replace(stat_date="20260615"))
    store.count(CALL)
    await job.run(1, at("20260708 120000"))
    assert [week for week, _, kind in portal.keys if kind == "1"] == ["20260621", "20260628", "20260705"]


async def test_a_missed_monday_is_made_up_for_after_another_one(job, store, portal, members):
    """A member without calls is reported in both weeks."""
    store.count(CALL)
    members[:] = [CARD]
    await job.run(1, at("20260713 040000"))
    assert {(week, provider) for week, provider, _ in portal.keys} == {(WEEK, BANK), (WEEK, CARD), ("20260712", CARD)}


async def test_a_leader_that_died_while_storing_leaves_no_member_out(job, store, portal, members):
    store.count(CALL._replace(stat_date="20260501"))
    store.count(CALL._replace(stat_date="20260501", provider=CARD))
    keep, remaining = store.save_sending, [3]

    async def keep_a_few(sending, fence, now):
        remaining[0] -= 1
        if remaining[0] < 0:
            raise Superseded
        await keep(sending, fence, now)

    store.save_sending = keep_a_few
    with pytest.raises(Superseded):
        await job.run(1, MONDAY)
    store.save_sending = keep
    await job.run(2, MONDAY)
    assert {(provider, kind) for week, provider, kind in portal.keys if week == "20260503"} == {
        (provider, kind) for provider in (BANK, CARD) for kind in "12"
    }


async def test_at_most_fifty_three_weeks_are_made_up_for(job, store, portal):
    store.count(CALL._replace(stat_date="20240101"))
    await job.run(1, MONDAY)
    assert len({week for week, _, _ in portal.keys}) == 53


async def test_a_refused_message_is_reported_and_retried(job, store, portal):
    store.count(CALL)
    portal.errors = [PortalRefused(400, "40001")]
    with pytest.raises(
        JobFailed, match=f"1 of 2 sent, 1 refused by the portal, first {BANK} of {WEEK}, type 1 .HTTP 400"
    ):
        await job.run(1, MONDAY)
    assert [(row.state, row.rsp_code) for row in store.rows.values()] == [
        (SendingState.REFUSED, "40001"),
        (SendingState.ACCEPTED, "00000"),
    ]
    assert await job.run(1, MONDAY + 60) == "1 of 1 sent"
    assert portal.keys == [(WEEK, BANK, "2"), (WEEK, BANK, "1")]
    assert store.rows[WEEK, BANK, "1"].attempts == 2


async def test_an_unavailable_portal_ends_the_run_without_loss(job, store, portal):
    store.count(CALL)
    portal.errors = [None, PortalDown("HTTP 500")]
    with pytest.raises(JobFailed, match=r"the portal is unavailable \(HTTP 500\); 1 of 2 sent; the rest waits"):
        await job.run(1, MONDAY)
    assert store.rows[WEEK, BANK, "2"].state is SendingState.WAITING
    assert await job.run(1, MONDAY + 60) == "1 of 1 sent"
    assert {row.state for row in store.rows.values()} == {SendingState.ACCEPTED}


async def test_members_of_a_missed_week_are_owed_in_the_next_one(job, store, portal, members):
    store.count(CALL)
    members.append(CARD)
    portal.errors = [PortalDown("timed out")]
    with pytest.raises(JobFailed):
        await job.run(1, MONDAY)
    portal.received.clear()
    members.remove(CARD)
    await job.run(1, at("20260713 040000"))
    assert {(week, provider) for week, provider, _ in portal.keys} == {(WEEK, BANK), (WEEK, CARD), ("20260712", BANK)}


async def test_a_lost_response_makes_the_same_message_go_again(job, store, portal):
    store.count(CALL)
    portal.errors = [PortalDown("hung up")]
    with pytest.raises(JobFailed):
        await job.run(1, MONDAY)
    await job.run(1, MONDAY + 60)
    assert portal.keys[:2] == [(WEEK, BANK, "1")] * 2
    assert portal.received[0] == portal.received[1]


async def test_late_figures_make_the_message_go_again(job, store, portal):
    store.count(CALL)
    await job.run(1, MONDAY)
    store.count(CALL, 5, when=MONDAY + 10)
    assert await job.run(1, MONDAY + 60) == "1 of 2 sent, 1 unchanged since they were sent"
    assert portal.received[2] == build_report(WEEK, BANK, "2", [(CALL, 6)], [])
    assert store.rows[WEEK, BANK, "2"].attempts == 2


async def test_a_batch_stamped_before_its_commit_is_noticed(job, store, portal):
    store.count(CALL)
    await job.run(1, MONDAY)
    store.count(CALL, 5, when=MONDAY - 100)
    assert await job.run(1, MONDAY + 60) == "1 of 2 sent, 1 unchanged since they were sent"


async def test_figures_over_four_weeks_late_wait_for_a_request(job, store, portal):
    store.count(CALL)
    await job.run(1, MONDAY)
    now = at("20260803 040000")
    await job.run(1, now)
    store.count(CALL, 5, when=now)
    assert await job.run(1, now + 60) == "nothing to send"
    await store.request_resend(WEEK, BANK, ["2"], now + 70)
    assert await job.run(1, now + 80) == "1 of 1 sent"
    assert portal.received[-1] == build_report(WEEK, BANK, "2", [(CALL, 6)], [])


async def test_requested_messages_are_sent_first_and_once(job, store, portal):
    store.count(CALL._replace(stat_date="20260620"))
    await job.run(1, at("20260622 040000"))
    portal.received.clear()
    await store.request_resend("20260621", BANK, ["1", "2"], MONDAY - 5)
    assert await job.wanted(MONDAY)
    await job.run(1, MONDAY)
    assert portal.keys == [(week, BANK, kind) for week in ("20260621", BEFORE, WEEK) for kind in "12"]
    assert not await job.wanted(MONDAY)
    assert await job.run(1, MONDAY + 60) == "nothing to send"


async def test_a_requested_week_without_counts_is_sent_with_zeros(job, store, portal):
    await store.request_resend(WEEK, BANK, ["1"], MONDAY)
    assert await job.run(1, MONDAY) == "1 of 1 sent"
    assert portal.received == [build_report(WEEK, BANK, "1", [], [])]


@pytest.mark.parametrize(
    ("week", "sent"), [("20260712", 0), (WEEK, 1), ("20250706", 1), ("20250629", 0), ("20260706", 0)]
)
async def test_the_portal_may_request_the_last_fifty_three_weeks(job, store, portal, week, sent):
    await store.request_resend(week, BANK, ["2"], MONDAY)
    assert await job.wanted(MONDAY) is bool(sent)
    await job.run(1, MONDAY)
    assert len(portal.received) == sent


async def test_a_request_on_sunday_does_not_replace_monday(job, store, portal, members):
    store.count(CALL)
    members.append(CARD)
    await store.request_resend(WEEK, BANK, ["2"], MONDAY - 3600)
    assert await job.run(1, MONDAY - 3600) == "1 of 1 sent"
    assert await job.run(1, MONDAY) == "3 of 3 sent"


async def test_a_request_during_sending_makes_the_message_go_again(job, store, portal):
    store.count(CALL)

    async def ask_then_take(body):
        await store.request_resend(WEEK, BANK, [body["type"]], MONDAY + 1)
        return await FakePortal.send_statistics(portal, body)

    portal.send_statistics = ask_then_take
    await job.run(1, MONDAY)
    del portal.send_statistics
    assert await job.wanted(MONDAY + 2)
    assert await job.run(1, MONDAY + 2) == "2 of 2 sent"
    assert not await job.wanted(MONDAY + 3)


async def test_a_refused_requested_message_is_tried_once_per_run(job, store, portal):
    store.count(CALL)
    await store.request_resend(WEEK, BANK, ["1"], MONDAY)
    portal.errors = [PortalRefused(400, "40001")]
    with pytest.raises(JobFailed, match="1 of 2 sent, 1 refused"):
        await job.run(1, MONDAY)
    assert store.rows[WEEK, BANK, "1"].attempts == 1
    assert store.rows[WEEK, BANK, "1"].requested


async def test_a_superseded_leader_sends_nothing(job, store, portal):
    store.count(CALL)
    store.fence = 2
    with pytest.raises(Superseded):
        await job.run(1, MONDAY)
    assert portal.received == []


async def test_a_message_of_a_superseded_leader_is_sent_again(job, store, portal):
    store.count(CALL)

    async def take_then_lose_the_lead(body):
        response = await FakePortal.send_statistics(portal, body)
        store.fence = 2
        return response

    portal.send_statistics = take_then_lose_the_lead
    with pytest.raises(Superseded):
        await job.run(1, MONDAY)
    del portal.send_statistics
    assert store.rows[WEEK, BANK, "1"].state is SendingState.WAITING
    assert await job.run(2, MONDAY + 15) == "2 of 2 sent"
    assert portal.received[0] == portal.received[1]


@pytest.mark.parametrize("week", ["20240303", "20270103", "20260705"])
async def test_any_week_of_the_calendar_is_sent_whole(job, store, portal, week):
    days = days_of(week)
    for number, day in enumerate(days, 1):
        store.count(CALL._replace(stat_date=day), number)
    await job.run(1, job.next_due(at(f"{week} 000000")))
    figures = [
        day["mydata_svc_list"][0]["api_type_list"][0]["tm_slot_list"][0]["success_api_cnt"]
        for day in portal.received[1]["stat_date_list"]
    ]
    assert figures == ["1", "2", "3", "4", "5", "6", "7"]


def test_the_job_is_due_on_the_next_monday(job):
    assert job.next_due(MONDAY) == at("20260713 040000")
