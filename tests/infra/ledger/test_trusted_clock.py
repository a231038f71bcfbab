"""The clock for irreversible actions, limited by PostgreSQL's clock or by the last time that a job wrote."""

import time

DAY_S = 86_400
MONTH_S = 30 * DAY_S


async def test_a_clock_ahead_is_not_trusted(ledger, caplog):
    now = int(time.time())
    fence = (await ledger.jobs.lead("here", 60, now)).fence
    await ledger.jobs.record_start("retention", fence, now)
    await ledger.jobs.record_end("retention", fence, well=True, result="", due_at=now, now=now)
    assert await ledger.trusted_clock.get_trusted_time(now) == now
    for _ in range(2):
        assert abs(await ledger.trusted_clock.get_trusted_time(now + MONTH_S) - now) < 360
    assert await ledger.trusted_clock.get_trusted_time(now + 1) == now + 1
    assert [message.partition(": ")[0] for message in caplog.messages] == [
        "clock is ahead, no consent ends and no record is removed by it",
        "clock is trusted again",
    ]


async def test_a_wrong_clock_at_the_start_is_not_trusted(ledger):
    now = int(time.time())
    fence = (await ledger.jobs.lead("here", 60, now)).fence
    await ledger.jobs.record_start("retention", fence, now)
    await ledger.jobs.record_end("retention", fence, well=True, result="", due_at=now, now=now)
    assert abs(await ledger.trusted_clock.get_trusted_time(now + MONTH_S) - now) < 360


async def test_a_new_ledger_trusts_the_clock(ledger):
    now = int(time.time())
    assert await ledger.trusted_clock.get_trusted_time(now) == now
    assert await ledger.trusted_clock.get_trusted_time(now - MONTH_S) == now - MONTH_S


async def test_a_clock_ahead_ends_no_consent(ledger, factory):
    now = int(time.time())
    await ledger.trusted_clock.get_trusted_time(now)
    assert await ledger.end_expired_consents(await ledger.trusted_clock.get_trusted_time(now + MONTH_S)) == 0
