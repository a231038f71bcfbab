"""Which calls an overloaded gateway refuses, window by window."""

import itertools

import pytest

from relay.domain.fault import FAULTS, FaultOwner, Refusal
from relay.policy.quota.overload import (
    CALM_WINDOWS,
    HOLD_S,
    MAX_PART,
    MIN_IN_FLIGHT,
    OVERLOAD_FAULTS,
    RISE_WINDOWS,
    WINDOW_S,
    Measure,
    OverloadGate,
    OverloadLevel,
    OverloadLimits,
)

LIMITS = OverloadLimits(lag_s=0.25, memory_bytes=1000)
HIGH, BETWEEN, CALM = Measure(0.3), Measure(0.2), Measure(0.01)
FULL = Measure(0.01, 1001, MIN_IN_FLIGHT + 1)
FULL_WITH_FEW = Measure(0.01, 1001, MIN_IN_FLIGHT)


@pytest.fixture
def gate():
    return OverloadGate(LIMITS)


def observe(gate, measure, windows=1):
    for _ in range(windows):
        gate.observe(measure)


def check(gate, *, is_scheduled=False):
    """Returns the refusal of one call, None if it is served."""
    try:
        gate.check(is_scheduled=is_scheduled)
    except Refusal as refusal:
        return refusal
    return None


def count_refused(gate, calls=1000):
    return sum(check(gate) is not None for _ in range(calls))


def test_a_gate_without_limits_never_refuses():
    gate = OverloadGate()
    observe(gate, Measure(100.0, 10**12), 100)
    assert gate.level == OverloadLevel.NORMAL


def test_one_long_stall_is_no_overload(gate):
    for _ in range(10):
        observe(gate, Measure(30.0))
        observe(gate, CALM)
    assert gate.level == OverloadLevel.NORMAL


def test_lag_at_its_limit_is_no_overload(gate):
    observe(gate, Measure(0.25), 100)
    assert gate.level == OverloadLevel.NORMAL


def test_scheduled_transfers_are_refused_first(gate):
    observe(gate, HIGH, RISE_WINDOWS)
    assert gate.level == OverloadLevel.SCHEDULED
    assert check(gate, is_scheduled=True).fault is FAULTS["overload_scheduled"]
    assert count_refused(gate) == 0


def test_then_a_growing_part_of_calls_on_demand(gate):
    observe(gate, HIGH, 2 * RISE_WINDOWS)
    assert gate.level == OverloadLevel.ON_DEMAND
    counts = []
    for _ in range(4):
        counts.append(count_refused(gate))
        observe(gate, HIGH)
    assert counts == sorted(set(counts))
    assert counts[0] == pytest.approx(120, abs=5)
    assert check(gate, is_scheduled=True).fault is FAULTS["overload_scheduled"]


def test_the_part_grows_faster_while_lag_is_higher(gate):
    slow, fast = OverloadGate(LIMITS), gate
    observe(slow, HIGH, 5)
    observe(fast, Measure(2.0), 5)
    assert fast.part == pytest.approx(MAX_PART)
    assert slow.part == pytest.approx(0.24)


def test_some_calls_are_served_in_any_overload(gate):
    observe(gate, Measure(5.0), 100)
    assert gate.part == MAX_PART
    assert 1000 - count_refused(gate) == pytest.approx(50, abs=5)


@pytest.mark.parametrize("operators", [2, 3, 5, 8])
def test_operators_that_call_in_turn_are_refused_alike(gate, operators):
    observe(gate, HIGH, 7)
    refused = [0] * operators
    for call in range(1000 * operators):
        refused[call % operators] += check(gate) is not None
    assert max(refused) - min(refused) <= 10


def test_very_high_lag_raises_the_second_level_at_once(gate):
    levels = []
    for _ in range(3):
        observe(gate, Measure(3.0))
        levels.append(gate.level)
    assert levels == [OverloadLevel.NORMAL, OverloadLevel.SCHEDULED, OverloadLevel.ON_DEMAND]
    assert gate.part == pytest.approx(0.5)


def test_the_part_stays_between_limit_and_calm(gate):
    observe(gate, HIGH, 6)
    part = gate.part
    observe(gate, BETWEEN, 100)
    assert (gate.level, gate.part) == (OverloadLevel.ON_DEMAND, part)


def test_calls_on_demand_recover_before_scheduled_ones(gate):
    observe(gate, Measure(5.0), 100)
    levels = []
    while gate.level:
        observe(gate, CALM)
        levels.append(gate.level)
    assert levels == sorted(levels, reverse=True)
    assert levels.count(OverloadLevel.SCHEDULED) == CALM_WINDOWS
    assert (gate.part, count_refused(gate)) == (0.0, 0)


@pytest.mark.parametrize("is_scheduled", [True, False])
@pytest.mark.parametrize("windows", [2, 4, 6, 100])
def test_retry_after_is_true_when_the_load_ends(gate, is_scheduled, windows):
    observe(gate, Measure(5.0), windows)
    refusals = [check(gate, is_scheduled=is_scheduled) for _ in range(100)]
    for refusal in filter(None, refusals):
        later = OverloadGate(LIMITS)
        observe(later, Measure(5.0), windows)
        observe(later, CALM, int(refusal.retry_after / WINDOW_S))
        assert [check(later, is_scheduled=is_scheduled) for _ in range(100)] == [None] * 100


def test_memory_above_its_limit_is_an_overload(gate):
    observe(gate, FULL, RISE_WINDOWS)
    assert check(gate, is_scheduled=True).fault is FAULTS["overload_scheduled"]
    observe(gate, FULL, RISE_WINDOWS)
    assert count_refused(gate) > 0


def test_memory_alone_never_refuses_the_last_calls(gate):
    observe(gate, FULL, 100)
    observe(gate, FULL_WITH_FEW)
    assert check(gate, is_scheduled=True) is None
    assert count_refused(gate) == 0
    observe(gate, FULL)
    assert check(gate, is_scheduled=True) is not None


def test_lag_and_memory_together_also_refuse_the_last_calls(gate):
    observe(gate, Measure(0.3, 1001, in_flight=1), 100)
    assert check(gate, is_scheduled=True) is not None


def test_memory_just_below_its_limit_is_not_calm(gate):
    observe(gate, FULL, RISE_WINDOWS)
    observe(gate, Measure(0.01, 960), 100)
    assert gate.level == OverloadLevel.SCHEDULED
    observe(gate, Measure(0.01, 950), CALM_WINDOWS)
    assert gate.level == OverloadLevel.NORMAL


def test_a_limit_that_is_turned_off_ends_the_overload(gate):
    observe(gate, Measure(5.0), 100)
    gate.adjust(OverloadLimits())
    observe(gate, Measure(5.0), 100)
    assert gate.level == OverloadLevel.NORMAL


def test_refusals_are_held_back_for_different_times(gate):
    holds = sorted(gate.get_hold_s() for _ in range(1000))
    assert holds[0] == pytest.approx(HOLD_S / 2, rel=0.01)
    assert holds[-1] == pytest.approx(HOLD_S * 1.5, rel=0.01)
    assert max(later - earlier for earlier, later in itertools.pairwise(holds)) < 0.003


def test_refused_calls_are_counted(gate):
    observe(gate, HIGH, 4)
    assert gate.refused == 0
    assert gate.refused == count_refused(gate, 0)
    refused = count_refused(gate)
    assert gate.refused == refused


@pytest.mark.parametrize("fault", OVERLOAD_FAULTS)
def test_the_relay_owns_its_overload(fault):
    assert (fault.owner, fault.rsp_code, fault.retry) == (FaultOwner.RELAY, "42901", True)
