"""Times at which an institution accepts scheduled calls, to the minute."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from relay.domain.fault import Refusal
from relay.policy.call.slot import check_slot, compile_slots, describe_slots

KOREA = timezone(timedelta(hours=9))


def is_open(slots, clock):
    """Whether a scheduled call at this time of day in Korea passes."""
    try:
        check_slot(slots, datetime(2024, 7, 15, int(clock[:2]), int(clock[2:]), tzinfo=KOREA).timestamp())
    except Refusal:
        return False
    return True


@pytest.mark.parametrize(
    ("slots", "clocks"),
    [
        (["0100:0700"], (["0100", "0659"], ["0059", "0700", "1300"])),
        (["2200:0400"], (["2200", "2359", "0000", "0359"], ["2159", "0400", "1200"])),
        (["1800:2400"], (["1800", "2359"], ["0000", "1759"])),
        (["0000:2400"], (["0000", "1200", "2359"], [])),
        (["2330:0030", "0600:0900", "1200:1500"], (["2330", "0029", "0600", "0859", "1200"], ["0030", "0900", "1500"])),
        (["0100:0400", "0300:0600"], (["0100", "0359", "0559"], ["0600"])),
        (["0900:0900"], ([], ["0900", "0000"])),
        (["2400:0600"], (["0000", "0559"], ["0600", "2359"])),
        ([], (["0000", "1200", "2359"], [])),
    ],
)
def test_a_slot_is_open_until_just_before_its_last_minute(slots, clocks):
    compiled, (opened, closed) = compile_slots(slots), clocks
    assert [clock for clock in opened if not is_open(compiled, clock)] == []
    assert [clock for clock in closed if is_open(compiled, clock)] == []


@pytest.mark.parametrize(
    ("moment", "refused"),
    [
        (datetime(2024, 7, 15, 0, 59, 59, 999_000, KOREA), True),
        (datetime(2024, 7, 15, 1, 0, tzinfo=KOREA), False),
        (datetime(2024, 7, 15, 6, 59, 59, 999_000, KOREA), False),
        (datetime(2024, 7, 15, 7, 0, tzinfo=KOREA), True),
        (datetime(2024, 12, 31, 16, 0, tzinfo=UTC), False),  # 01:00 of New Year in Korea
    ],
)
def test_a_scheduled_call_outside_the_slots_is_refused(moment, refused):
    slots = compile_slots(["0100:0700"])
    if not refused:
        check_slot(slots, moment.timestamp())
        return
    with pytest.raises(Refusal) as refusal:
        check_slot(slots, moment.timestamp())
    assert (refusal.value.fault.rsp_code, refusal.value.fault.retry) == ("50009", True)
    assert refusal.value.detail == "01:00~07:00"


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        (["2200:0400", "0900:1030"], "00:00~04:00, 09:00~10:30, 22:00~24:00"),
        (["0900:0900"], ""),
        (["0000:2400"], "00:00~24:00"),
    ],
)
def test_a_refusal_names_the_open_times(slots, text):
    assert describe_slots(compile_slots(slots)) == text


def test_an_institution_without_slots_is_always_open():
    for hour in range(24):
        check_slot(compile_slots(()), hour * 3600.0)
