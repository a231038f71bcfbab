"""The time of irrevocable work, beside PostgreSQL's clock or the last time that jobs wrote."""

import time

DAY_S = 86_400
MONTH_S = 30 * DAY_S


async def test_a_clock_that_is_ahead_is_not_believed(ledger, caplog):
    now = int(time.time())
    fence = (await ledger.jobs.lead("here", 60, now)).fence
    await ledger.jobs.begun("retention", fence, now)
    await ledger.jobs.ended("retention", fence, well=True, told="", due_at=now, now=now)
    assert await ledger.time.believed(now) == now
    for _ in range(2):
        assert abs(await ledger.time.believed(now + MONTH_S) - now) < 360
    assert await ledger.time.believed(now + 1) == now + 1
    assert [line.partition(": ")[0] for line in caplog.messages] == [
        "clock ahead, nothing is ended or removed by it",
        "clock believed again",
    ]


async def test_a_process_that_starts_with_a_wrong_clock_is_not_believed(ledger):
    now = int(time.time())
    fence = (await ledger.jobs.lead("here", 60, now)).fence
    await ledger.jobs.begun("retention", fence, now)
    await ledger.jobs.ended("retention", fence, well=True, told="", due_at=now, now=now)
    assert abs(await ledger.time.believed(now + MONTH_S) - now) < 360


async def test_a_new_ledger_takes_the_clock_as_it_is(ledger):
    now = int(time.time())
    assert await ledger.time.believed(now) == now
    assert await ledger.time.believed(now - MONTH_S) == now - MONTH_S


async def test_a_consent_of_tomorrow_does_not_end_by_a_clock_that_is_ahead(ledger, desk):
    now = int(time.time())
    await ledger.time.believed(now)
    assert await ledger.end_overdue(await ledger.time.believed(now + MONTH_S)) == 0
