"""Operators share the rate of an institution; calls on demand go before scheduled transfers."""

import random

import pytest

from relay.domain.fault import Refusal
from relay.policy.quota.fair_share import ACTIVE_S
from relay.policy.quota.limits import LimitTable
from relay.policy.quota.meters import QuotaMeters
from relay.policy.settings.scalars import Rate

NOW = 50.0
FREE = Rate(per_second=1e6, burst=10**6)


def build_meters(per_second=50, burst=50, **weights):
    return QuotaMeters(LimitTable(FREE, {"bank": Rate(per_second=per_second, burst=burst)}, weights=weights))


def attempt(meters, operator, now, *, is_scheduled=False):
    try:
        meters.take((operator, "bank", "app", is_scheduled), now)
    except Refusal:
        return False
    return True


def run(meters, loads, seconds=30.0, seed=1):
    """Makes calls at random times, `loads` a second for each operator and kind. Returns which part was served."""
    chance = random.Random(seed)
    times = sorted(
        (NOW + chance.random() * seconds, call) for call, load in loads.items() for _ in range(int(load * seconds))
    )
    served = dict.fromkeys(loads, 0)
    for now, call in times:
        operator, _, kind = call.partition(":")
        served[call] += attempt(meters, operator, now, is_scheduled=kind == "scheduled")
    return {call: served[call] / (loads[call] * seconds) for call in loads}


@pytest.mark.parametrize(("burst", "least", "served"), [(2, 0.8, 40), (5, 0.95, 48), (50, 0.98, 48), (100, 0.98, 48)])
def test_a_flood_leaves_another_operator_its_share(burst, least, served):
    parts = run(build_meters(burst=burst), {"flood": 300, "small": 5})
    assert parts["small"] >= least
    assert parts["flood"] * 300 + parts["small"] * 5 >= served


def test_operators_that_want_more_have_equal_shares():
    parts = run(build_meters(), {"one": 300, "two": 150, "three": 60})
    assert [round(parts[name] * load / 50, 1) for name, load in (("one", 300), ("two", 150), ("three", 60))] == [
        pytest.approx(0.3, abs=0.11)
    ] * 3


def test_shares_are_in_proportion_to_the_weights():
    parts = run(build_meters(one=3), {"one": 100, "two": 100})
    assert 2.0 <= parts["one"] / parts["two"] <= 3.2


@pytest.mark.parametrize("on_demand", [30, 45])
def test_calls_on_demand_go_before_scheduled_transfers(on_demand):
    parts = run(build_meters(), {"one": on_demand, "two:scheduled": 100 - on_demand})
    assert parts["one"] >= 0.95
    assert parts["one"] * on_demand + parts["two:scheduled"] * (100 - on_demand) >= 47


def test_an_operator_alone_has_the_whole_rate_and_burst():
    meters = build_meters(burst=20)
    assert [attempt(meters, "one", NOW) for _ in range(21)] == [True] * 20 + [False]
    assert attempt(meters, "one", NOW + 0.021)


def test_scheduled_transfers_alone_have_the_whole_rate():
    meters = build_meters(burst=20)
    assert sum(attempt(meters, "one", NOW, is_scheduled=True) for _ in range(30)) == 20


def test_an_operator_that_called_long_ago_has_no_share():
    meters = build_meters(burst=20)
    attempt(meters, "two", NOW - ACTIVE_S - 1)
    assert sum(attempt(meters, "one", NOW) for _ in range(30)) == 20


def test_a_call_that_was_not_sent_takes_nothing_from_a_share():
    meters = build_meters(burst=20)
    attempt(meters, "two", NOW)
    for _ in range(50):
        assert attempt(meters, "one", NOW)
        meters.give_back(("one", "bank", "app", False))
    assert sum(attempt(meters, "one", NOW) for _ in range(30)) == 14


def test_a_refused_operator_may_call_after_its_wait():
    meters = build_meters(burst=20)
    attempt(meters, "two", NOW)
    while True:
        try:
            meters.take(("one", "bank", "app", False), NOW)
        except Refusal as refusal:
            wait_s = refusal.retry_after
            break
    assert not attempt(meters, "one", NOW + wait_s - 0.001)
    assert attempt(meters, "one", NOW + wait_s + 0.001)


def test_a_rate_without_a_burst_cannot_be_reserved():
    meters = build_meters(per_second=10, burst=1)
    assert attempt(meters, "one", NOW)
    assert not attempt(meters, "two", NOW + 0.05)
    assert attempt(meters, "one", NOW + 0.11)
