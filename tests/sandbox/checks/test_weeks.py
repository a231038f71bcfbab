from datetime import UTC, datetime

import pytest
from mydata_sandbox.checks.weeks import days_of, last_week


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        (datetime(2026, 11, 24, 3, tzinfo=UTC), "20261122"),
        (datetime(2026, 11, 21, 14, 59, 59, tzinfo=UTC), "20261115"),  # Saturday in Korea
        (datetime(2026, 11, 21, 15, tzinfo=UTC), "20261122"),  # Sunday in Korea
    ],
)
def test_the_last_week_is_named_by_the_latest_sunday_in_korea(moment, week):
    assert last_week(moment.timestamp()) == week


def test_a_week_has_the_seven_days_before_its_sunday():
    assert days_of("20261101") == (
        "20261025", "20261026", "20261027", "20261028", "20261029", "20261030", "20261031",
    )  # fmt: skip


@pytest.mark.parametrize("week", ["20261123", "2026112", "20261301"])
def test_another_day_names_no_week(week):
    with pytest.raises(ValueError, match=r"Sunday|month|format"):
        days_of(week)
