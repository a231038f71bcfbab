"""Consents by day in Korea: given, withdrawn, and in force at the end of the day."""

from datetime import date

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.statistics import ConsentCount

MIDNIGHT = 1_799_938_800
"""15 January 2027, 00:00 in Korea."""
DAY_S = 86400
DAYS = ["20270114", "20270115", "20270116"]


@pytest.fixture
def count_days(ledger, factory):
    """Issues a consent, ends it, and returns the counts of the days."""

    async def count(given_at, end_state=None, ended_at=0, end=date(2027, 12, 31), days=DAYS):
        consent = factory.build_consent(given_at=given_at, end=end)
        pair = factory.build_pair(consent, now=given_at, lasts=90 * DAY_S)
        await ledger.issue_integrated(consent, pair, [], [], given_at)
        if end_state is ConsentState.REVOKED:
            assert await ledger.withdraw(pair.access.jti, factory.holder, ended_at)
        if end_state is ConsentState.ENDED:
            assert await ledger.end_expired_consents(ended_at) == 1
        return [(count.stat_date, *count[4:]) for count in await ledger.statistics.consent_counts(days)]

    return count


@pytest.mark.parametrize(
    ("given_at", "end_state", "ended_at", "counts"),
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
async def test_days_begin_and_end_at_midnight_in_korea(count_days, given_at, end_state, ended_at, counts):
    assert await count_days(given_at, end_state, ended_at) == counts


async def test_the_last_day_counts_even_if_it_is_ended_late(count_days):
    counts = [("20270114", 1, 0, 1), ("20270115", 0, 0, 1)]
    assert await count_days(MIDNIGHT - 1, ConsentState.ENDED, MIDNIGHT + DAY_S + 600, date(2027, 1, 15)) == counts


async def test_an_overdue_consent_does_not_count_after_its_last_day(count_days):
    assert await count_days(MIDNIGHT - 1, end=date(2027, 1, 15)) == [("20270114", 1, 0, 1), ("20270115", 0, 0, 1)]


async def test_a_replaced_consent_does_not_count_as_revoked(ledger, factory, count_days):
    await count_days(MIDNIGHT - 60)
    assert await count_days(MIDNIGHT + 60) == [("20270114", 1, 0, 1), ("20270115", 1, 0, 1), ("20270116", 0, 0, 1)]


async def test_services_are_counted_separately_and_ordered(ledger, factory):
    others = [("ZBAA000001", "ZOPB000001", "svc2"), ("ZCDA000001", "ZOPA000001", "svc1")]
    for provider, operator, client_id in [*others, *others[1:]]:
        consent = factory.build_consent(
            ci=factory.new_id("ci"), provider=provider, operator=operator, client_id=client_id, given_at=MIDNIGHT
        )
        await factory.issue(ledger, consent)
    await factory.issue(ledger, factory.build_consent(given_at=MIDNIGHT))
    book = ledger.statistics
    counts = [
        ConsentCount("20270115", "ZBAA000001", "ZOPA000001", "svc1", 1, 0, 1),
        ConsentCount("20270115", "ZBAA000001", "ZOPB000001", "svc2", 1, 0, 1),
        ConsentCount("20270115", "ZCDA000001", "ZOPA000001", "svc1", 2, 0, 2),
    ]
    assert await book.consent_counts(["20270115"]) == counts
    assert await book.consent_counts(["20270115"], "ZCDA000001") == counts[2:]
    assert await book.consent_counts([]) == []


async def test_more_than_a_week_is_counted(count_days):
    days = [f"202701{day:02}" for day in range(1, 31)]
    counts = await count_days(MIDNIGHT, days=days)
    assert [day for day, *_ in counts] == days[14:]
