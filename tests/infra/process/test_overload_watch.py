"""Lag of the event loop and memory reach the gate, once for each window."""

import logging

import pytest

from relay.infra.process.loop_lag import INTERVAL_S
from relay.infra.process.overload_watch import OverloadWatch
from relay.policy.quota.overload import WINDOW_S, OverloadGate, OverloadLevel
from relay.policy.settings.rates import OverloadSettings

MIB = 1024 * 1024
SETTINGS = OverloadSettings(lag_s=0.25)


class Memory:
    """Memory that the test sets; `limit` is that of its group."""

    limit = 1000 * MIB

    def __init__(self):
        self.used, self.reads = 0, 0

    def read(self):
        self.reads += 1
        return self.used


class Scene:
    """A watch with its clock."""

    def __init__(self, settings=SETTINGS, group=None):
        self.gate, self.process, self.now = OverloadGate(), Memory(), 1000.0
        self.watch = OverloadWatch(settings, self.gate, lambda: 7, self.process, group)

    def run(self, seconds, delay=0.0):
        """Probes for some time, each with this delay."""
        end = self.now + seconds
        while self.now < end:
            self.now += INTERVAL_S + delay
            self.watch.observe(delay, self.now)

    @property
    def lag_s(self):
        return self.watch.gauges()["relay_overload_lag_seconds"]


@pytest.fixture
def scene():
    return Scene()


def test_a_loop_in_time_is_no_overload(scene):
    scene.run(10)
    assert scene.watch.gauges() == {
        "relay_overload_level": 0,
        "relay_overload_lag_seconds": 0.0,
        "relay_overload_memory_bytes": 0,
    }


def test_turns_that_stay_long_are_an_overload(scene):
    scene.run(1.5, delay=0.3)
    assert scene.lag_s == pytest.approx(0.3)
    assert scene.gate.level == OverloadLevel.SCHEDULED
    scene.run(1.5, delay=0.3)
    assert scene.gate.level == OverloadLevel.ON_DEMAND


def test_the_lag_of_a_window_is_weighted_with_time(scene):
    scene.run(WINDOW_S / 2)
    scene.run(INTERVAL_S, delay=0.3)
    assert scene.lag_s == pytest.approx(0.3 * 0.31 / (0.25 + 0.31), abs=0.01)


def test_one_stall_of_half_a_minute_is_no_overload(scene):
    scene.run(1)
    scene.run(INTERVAL_S, delay=30.0)
    scene.run(10)
    assert scene.gate.level == OverloadLevel.NORMAL


def test_a_lag_limit_of_zero_turns_it_off():
    scene = Scene(OverloadSettings(lag_s=0))
    scene.run(10, delay=2.0)
    assert scene.gate.level == OverloadLevel.NORMAL


def test_memory_is_read_once_a_window():
    scene = Scene(OverloadSettings(memory_mb=100))
    scene.run(10)
    assert scene.process.reads == pytest.approx(10 / WINDOW_S, abs=2)


def test_memory_above_the_setting_is_an_overload():
    scene = Scene(OverloadSettings(memory_mb=100), Memory())
    scene.process.used = 101 * MIB
    scene.run(5)
    assert scene.gate.level == OverloadLevel.ON_DEMAND
    assert scene.watch.gauges()["relay_overload_memory_bytes"] == 101 * MIB


@pytest.mark.parametrize(("used", "level"), [(899, OverloadLevel.NORMAL), (901, OverloadLevel.ON_DEMAND)])
def test_without_the_setting_nine_tenths_of_the_group_count(used, level):
    group = Memory()
    scene = Scene(group=group)
    group.used = used * MIB
    scene.run(5)
    assert scene.gate.level == level


def test_without_any_limit_memory_is_shown_and_limits_nothing():
    scene = Scene()
    scene.process.used = 10**12
    scene.run(5)
    assert scene.gate.level == OverloadLevel.NORMAL
    assert scene.watch.gauges()["relay_overload_memory_bytes"] == 10**12


def test_new_settings_apply_while_it_runs(scene):
    scene.run(3, delay=0.3)
    assert scene.gate.level
    scene.watch.adjust(OverloadSettings(lag_s=1))
    scene.run(10, delay=0.3)
    assert scene.gate.level == OverloadLevel.NORMAL


def test_begin_and_end_have_one_line_each(scene, caplog):
    caplog.set_level(logging.INFO)
    scene.process.used = 200 * MIB
    scene.run(1)
    scene.run(20, delay=0.3)
    scene.run(20)
    began, ended = (record.getMessage() for record in caplog.records)
    assert began == ("overload began, scheduled transfers are refused: lag_s=0.300 memory_mb=200 calls_in_flight=7")
    assert ended.startswith("overload ended: seconds=")
    assert ended.endswith(" refused_calls=0")
