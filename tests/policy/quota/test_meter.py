"""Meters count the calls of one limit in one process."""

import pytest

from relay.domain.fault import FAULTS
from relay.policy.quota.limits import Limit
from relay.policy.quota.meter import Meter
from relay.policy.settings.scalars import Rate

NOW = 50.0


def build_limit(per_second=10, burst=4, name="operator_rate"):
    return Limit(name, Rate(per_second=per_second, burst=burst), FAULTS[name])


def count_allowed(meter, now=NOW):
    allowed = 0
    while meter.get_wait_s(now) == 0:
        meter.add_debt(1, now)
        allowed += 1
    return allowed


@pytest.mark.parametrize(("share", "allowed"), [(1.0, 4), (0.5, 2), (0.25, 1), (0.01, 1)])
def test_a_share_has_its_part_of_the_burst_and_at_least_one(share, allowed):
    assert count_allowed(Meter(build_limit(), share)) == allowed


def test_a_share_has_its_part_of_the_rate():
    meter = Meter(build_limit(), 0.5)
    count_allowed(meter)
    assert count_allowed(meter, NOW + 0.41) == 2


def test_debts_are_paid_off_with_the_rate():
    meter = Meter(build_limit())
    meter.add_debt(3, NOW)
    assert meter.get_debt(NOW) == pytest.approx(3)
    assert meter.get_debt(NOW + 0.2) == pytest.approx(1)
    assert count_allowed(meter, NOW) == 1


def test_a_new_rate_keeps_the_counted_calls():
    meter = Meter(build_limit())
    count_allowed(meter)
    meter.adjust(build_limit(per_second=1000), NOW)
    assert meter.get_debt(NOW) == pytest.approx(4)
    assert count_allowed(meter, NOW) == 0
    assert count_allowed(meter, NOW + 0.0041) == 4
