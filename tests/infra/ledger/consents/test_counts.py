"""Consents by day in Korea: given, withdrawn, in force when the day ended."""

from datetime import date

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.statistics import ConsentCount

MIDNIGHT = 1_799_938_800
"""15 January 2027, 00:00 in Korea."""
DAY_S = 86400
DAYS = ["20270114", "20270115", "20270116"]


@pytest.fixture
def story(ledger, desk):
    """A consent given at one moment that ends in a way at another; what is counted afterwards."""

    async def told(given_at, way=None, ended_at=0, end=date(2027, 12, 31), days=DAYS):
        consent = desk.consent(given_at=given_at, end=end)
        pair = desk.pair(consent, now=given_at, lasts=90 * DAY_S)
        await ledger.issue_integrated(consent, pair, [], [], given_at)
        if way is ConsentState.REVOKED:
            assert await ledger.withdraw(pair.access.jti, desk.holder, ended_at)
        if way is ConsentState.ENDED:
            assert await ledger.end_overdue(ended_at) == 1
        return [(each.stat_date, *each[4:]) for each in await ledger.statistics.consent_counts(days)]

    return told


@pytest.mark.parametrize(
    ("given_at", "way", "ended_at", "found"),
    [
        (MIDNIGHT - 1, None, 0, [("20270114", 1, 0, 1), ("20270115", 0, 0, 1), ("20270116", 0, 0, 1)]),
        (MIDNIGHT, None, 0, [("20270115", 1, 0, 1), ("20270116", 0, 0, 1)]),
        (MIDNIGHT + DAY_S - 1, None, 0, [("20270115", 1, 0, 1), ("20270116", 0, 0, 1)]),
        (MIDNIGHT, ConsentState.REVOKED, MIDNIGHT + 60, [("20270115", 1, 1, 0)]),
        (MIDNIGHT, ConsentState.REVOKED, MIDNIGHT + DAY_S - 1, [("20270115", 1, 1, 0)]),
        (MIDNIGHT, ConsentState.REVOKED, MIDNIGHT + DAY_S, [("20270115", 1, 0, 1), ("20270116", 0, 1, 0)]),
        (MIDNIGHT - 9 * DAY_S, ConsentState.REVOKED, MIDNIGHT, [("20270114", 0, 0, 1), ("20270115", 0, 1, 0)]),
        (MIDNIGHT - 9 * DAY_S, ConsentState.REVOKED, MIDNIGHT - 5 * DAY_S, []),
        (MIDNIGHT + 9 * DAY_S, None, 0, []),
    ],
)
async def test_days_begin_and_end_at_midnight_in_korea(story, given_at, way, ended_at, found):
    assert await story(given_at, way, ended_at) == found


async def test_a_last_day_is_a_day_in_force_whenever_it_is_ended(story):
    found = [("20270114", 1, 0, 1), ("20270115", 0, 0, 1)]
    assert await story(MIDNIGHT - 1, ConsentState.ENDED, MIDNIGHT + DAY_S + 600, date(2027, 1, 15)) == found


async def test_past_its_last_day_it_is_not_in_force_though_nobody_ended_it(story):
    assert await story(MIDNIGHT - 1, end=date(2027, 1, 15)) == [("20270114", 1, 0, 1), ("20270115", 0, 0, 1)]


async def test_one_that_was_replaced_is_not_withdrawn(ledger, desk, story):
    await story(MIDNIGHT - 60)
    assert await story(MIDNIGHT + 60) == [("20270114", 1, 0, 1), ("20270115", 1, 0, 1), ("20270116", 0, 0, 1)]


async def test_services_are_counted_apart_in_their_order(ledger, desk):
    others = [("ZBAA000001", "ZOPB000001", "svc2"), ("ZCDA000001", "ZOPA000001", "svc1")]
    for provider, operator, client_id in [*others, *others[1:]]:
        made = desk.consent(
            ci=desk.id("ci"), provider=provider, operator=operator, client_id=client_id, given_at=MIDNIGHT
        )
        await desk.issued(ledger, made)
    await desk.issued(ledger, desk.consent(given_at=MIDNIGHT))
    book = ledger.statistics
    found = [
        ConsentCount("20270115", "ZBAA000001", "ZOPA000001", "svc1", 1, 0, 1),
        ConsentCount("20270115", "ZBAA000001", "ZOPB000001", "svc2", 1, 0, 1),
        ConsentCount("20270115", "ZCDA000001", "ZOPA000001", "svc1", 2, 0, 2),
    ]
    assert await book.consent_counts(["20270115"]) == found
    assert await book.consent_counts(["20270115"], "ZCDA000001") == found[2:]
    assert await book.consent_counts([]) == []


async def test_more_days_than_a_week_are_counted_too(story):
    days = [f"202701{day:02}" for day in range(1, 31)]
    found = await story(MIDNIGHT, days=days)
    assert [day for day, *_ in found] == days[14:]
