"""지원-102: what the portal hears about an institution."""

import logging

import pytest

from relay.domain.statistics import Batch, Pulse

SATURDAY_NIGHT = 1_800_000_000 + 10 * 3600  # 3 o'clock in Korea, the bank's maintenance


async def beat(desk, pulse, org_code="ZBAA000001"):
    await desk.statistics.take_batch(Batch("one", {}, {org_code: pulse}), 1_800_000_000)


async def test_an_answer_is_of_three_texts(desk):
    reply = await desk.status_of()
    assert (reply.status, reply.body) == (200, {"rsp_code": "00000", "rsp_msg": "성공", "availability": "01"})
    assert (reply.noted["api-code"], reply.noted["provider"]) == ("S102", "ZBAA000001")


@pytest.mark.parametrize(("found", "told"), [(True, "01"), (False, "02"), (None, "99")])
async def test_without_calls_a_connection_tells(desk, found, told):
    desk.probe.found = found
    assert (await desk.status_of()).body["availability"] == told
    assert desk.probe.asked == ["ZBAA000001"]


@pytest.mark.parametrize(
    ("pulse", "told"),
    [(Pulse(1_799_999_990, 0, 0), "01"), (Pulse(1_799_999_000, 1_799_999_990, 3), "02")],
)
async def test_calls_of_these_minutes_tell_without_a_connection(desk, pulse, told):
    await beat(desk, pulse)
    assert (await desk.status_of()).body["availability"] == told
    assert desk.probe.asked == []


async def test_calls_of_another_institution_tell_nothing(desk):
    await beat(desk, Pulse(1_799_999_000, 1_799_999_990, 3), "ZCDA000001")
    assert (await desk.status_of()).body["availability"] == "01"


async def test_maintenance_is_told_whatever_the_calls_say(desk):
    await beat(desk, Pulse(SATURDAY_NIGHT - 5, 0, 0))
    desk.clock = lambda: SATURDAY_NIGHT
    assert (await desk.status_of()).body["availability"] == "03"
    assert (await desk.status_of("ZCDA000001")).body["availability"] == "01"
    assert desk.probe.asked == ["ZCDA000001"]


@pytest.mark.parametrize(("found", "told"), [(True, "01"), (False, "02"), (None, "99")])
async def test_a_ledger_that_is_away_leaves_the_connection_to_tell(desk, away, caplog, found, told):
    away()
    desk.probe.found = found
    with caplog.at_level(logging.WARNING):
        reply = await desk.status_of()
    assert (reply.status, reply.body["availability"]) == (200, told)
    assert caplog.messages == []  # the outage of the ledger is logged by itself


@pytest.mark.parametrize("org_code", ["ZBAA999999", "ZOPA000001", "ZRLA000001", "ZPTL000001"])
async def test_who_is_no_member_is_40303(desk, org_code):
    reply = await desk.status_of(org_code)
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (403, "40303", "provider_unknown")
    assert "provider" not in reply.noted
