"""Planned maintenance of institutions, to the minute."""

from datetime import datetime

import pytest

from relay.domain.korea import KOREA
from relay.policy.call.maintenance import compile_maintenance, is_in_maintenance
from relay.policy.settings.portal import MaintenanceWindow


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=KOREA).timestamp()


def entry(when, start, end):
    """One entry of an institution's file: a day of the week, or a date."""
    return MaintenanceWindow(**{"date" if when.isdigit() else "day": when}, start=start, end=end)


def calendar(*entries):
    return compile_maintenance(entry(*each) for each in entries)


SUNDAY_NIGHT, DAILY, ONE_NIGHT = ("sun", "0200", "0400"), ("daily", "2330", "0030"), ("20270216", "2330", "0130")


@pytest.mark.parametrize(
    ("entries", "down", "up"),
    [
        # 2027-01-03 is a Sunday
        ([SUNDAY_NIGHT], ["2027-01-03T02:00:00", "2027-01-03T03:59:59.9"], ["2027-01-03T01:59:59.9", "2027-01-03T04"]),
        ([SUNDAY_NIGHT], ["2027-01-10T02:30:00"], ["2027-01-02T03:00:00", "2027-01-04T03:00:00"]),
        (
            [DAILY],
            ["2027-01-04T23:30", "2027-01-05T00:29", "2027-01-03T23:59", "2027-01-04T00:00"],
            ["2027-01-05T00:30"],
        ),
        ([("sun", "2300", "0100")], ["2027-01-03T23:00", "2027-01-04T00:59"], ["2027-01-04T01:00", "2027-01-03T00:30"]),
        ([("sat", "2300", "0000")], ["2027-01-02T23:59:59"], ["2027-01-03T00:00"]),
        ([ONE_NIGHT], ["2027-02-16T23:30", "2027-02-17T01:29:59.9"], ["2027-02-16T23:29", "2027-02-17T01:30"]),
        ([ONE_NIGHT], [], ["2027-02-23T23:30", "2028-02-16T23:30", "2027-02-15T23:30"]),
        ([SUNDAY_NIGHT, ONE_NIGHT], ["2027-01-03T02:00", "2027-02-16T23:45"], ["2027-01-03T05:00"]),
        ([("20280229", "0000", "2359")], ["2028-02-29T12:00"], ["2028-03-01T00:00", "2028-02-28T23:59"]),
    ],
)
def test_maintenance_lasts_until_just_before_its_last_minute(entries, down, up):
    compiled = calendar(*entries)
    assert [moment for moment in down if not is_in_maintenance(compiled, at(moment))] == []
    assert [moment for moment in up if is_in_maintenance(compiled, at(moment))] == []


def test_without_entries_there_is_no_maintenance():
    assert compile_maintenance(()) is None
    assert not is_in_maintenance(None, at("2027-01-03T02:00"))


@pytest.mark.parametrize("day", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
def test_a_day_of_the_week_is_that_day_in_korea(day):
    compiled = calendar((day, "1200", "1201"))
    days = [n for n in range(4, 11) if is_in_maintenance(compiled, at(f"2027-01-{n:02}T12:00"))]  # the 4th is a Monday
    assert [datetime(2027, 1, n, tzinfo=KOREA).strftime("%a").lower() for n in days] == [day]
