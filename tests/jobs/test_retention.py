"""Schedule, limits and outcome of the retention job."""

from datetime import datetime, timedelta, timezone

import pytest

from relay.domain.jobs import RetentionLimits, Superseded
from relay.jobs.retention import RetentionJob, build_limits, next_time_of_day
from relay.policy.settings.portal import RetentionSettings

KOREA = timezone(timedelta(hours=9))
DAY_S = 86_400


def at(*moment):
    """Returns a Korean time in epoch seconds."""
    return int(datetime(*moment, tzinfo=KOREA).timestamp())


class Archive:
    def __init__(self, removed):
        self.removed, self.calls = removed, []

    async def purge(self, limits, fence, now):
        self.calls.append((limits, fence, now))
        if fence < 0:
            raise Superseded
        return self.removed


def test_each_kind_of_row_has_its_own_age():
    now = at(2026, 11, 23, 0, 30)
    limits = build_limits(RetentionSettings(), now)
    ages = (limits.consents, limits.requests, limits.spent, limits.calls)
    assert [(now - age) // DAY_S for age in ages] == [1830, 30, 1830, 400]


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (at(2026, 11, 23, 0, 0), "20251110"),
        (at(2026, 11, 23, 8, 59), "20251110"),
        (at(2026, 11, 22, 23, 59), "20251109"),
    ],
)
def test_statistics_are_removed_by_korean_days(now, day):
    assert build_limits(RetentionSettings(statistics_weeks=54), now).statistics == day


def test_the_minimum_keeps_what_the_portal_may_request():
    assert (
        build_limits(RetentionSettings(statistics_weeks=54), at(2026, 11, 28, 12)).statistics < "20251116"
    )  # 53 weeks, complete


@pytest.mark.parametrize(
    ("clock", "now", "due"),
    [
        ("0330", at(2026, 11, 23, 3, 29, 59), at(2026, 11, 23, 3, 30)),
        ("0330", at(2026, 11, 23, 3, 30), at(2026, 11, 24, 3, 30)),
        ("0330", at(2026, 11, 23, 23, 59), at(2026, 11, 24, 3, 30)),
        ("0000", at(2026, 12, 31, 0, 0), at(2027, 1, 1, 0, 0)),
        ("2359", at(2026, 12, 31, 8, 59), at(2026, 12, 31, 23, 59)),
    ],
)
def test_retention_is_due_once_a_day_in_korea(clock, now, due):
    assert next_time_of_day(clock, now) == due


@pytest.mark.parametrize(
    ("removed", "words"),
    [
        ({"consents": 2, "calls": 0, "spent": 1}, "removed 2 of consents, 1 of spent"),
        ({"consents": 0}, "nothing to remove"),
        ({}, "nothing to remove"),
    ],
)
async def test_the_outcome_lists_removed_rows(removed, words):
    archive = Archive(removed)
    assert await RetentionJob(archive, RetentionSettings()).run(7, 1_800_000_000) == words
    assert archive.calls == [(build_limits(RetentionSettings(), 1_800_000_000), 7, 1_800_000_000)]
    assert isinstance(archive.calls[0][0], RetentionLimits)


async def test_a_former_leader_removes_nothing():
    with pytest.raises(Superseded):
        await RetentionJob(Archive({}), RetentionSettings()).run(-1, 1_800_000_000)
