"""The probe sees late turns of the event loop and garbage collections."""

import gc

import pytest

from relay.infra.process import loop_lag
from relay.infra.process.loop_lag import INTERVAL_S, LoopLag


class Timer:
    def __init__(self):
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class Loop:
    """A loop whose timers the test runs."""

    def __init__(self):
        self.callbacks, self.timers = [], []

    def call_later(self, delay, callback):
        assert delay == INTERVAL_S
        self.callbacks.append(callback)
        self.timers.append(Timer())
        return self.timers[-1]


@pytest.fixture
def observed():
    return []


@pytest.fixture
def probe(clock, monkeypatch, observed):
    clock.now = 1000.0
    monkeypatch.setattr(loop_lag.time, "monotonic", clock)
    lag = LoopLag(Loop(), lambda delay, now: observed.append((delay, now)))
    lag.start()
    yield lag
    lag.stop()


def run_after(probe, clock, seconds):
    clock.now += seconds
    loop = probe.loop
    loop.callbacks.pop()()


def test_the_longest_delay_is_kept(probe, clock):
    for delay in (0.0, 0.25, 0.001):
        run_after(probe, clock, INTERVAL_S + delay)
    assert probe.gauges()["relay_loop_lag_seconds"] == pytest.approx(0.25)


def test_a_loop_in_time_has_no_lag(probe, clock):
    run_after(probe, clock, INTERVAL_S)
    assert probe.gauges()["relay_loop_lag_seconds"] == pytest.approx(0.0)


def test_each_probe_is_reported_with_its_delay(probe, clock, observed):
    run_after(probe, clock, INTERVAL_S + 0.25)
    run_after(probe, clock, INTERVAL_S)
    assert [now for _, now in observed] == [pytest.approx(1000.26), pytest.approx(1000.27)]
    assert [delay for delay, _ in observed] == pytest.approx([0.25, 0.0])


def test_probes_go_on_after_an_error_of_their_observer(clock):
    def fail(delay, now):
        raise ZeroDivisionError

    probe = LoopLag(Loop(), fail)
    probe.start()
    with pytest.raises(ZeroDivisionError):
        run_after(probe, clock, INTERVAL_S)
    assert len(probe.loop.callbacks) == 1
    probe.stop()


def test_collections_are_timed(probe, clock):
    (notify,) = [callback for callback in gc.callbacks if getattr(callback, "__self__", None) is probe]
    for seconds in (0.001, 0.07, 0.002):
        notify("start", {"generation": 2})
        clock.now += seconds
        notify("stop", {"generation": 2})
    assert probe.gauges()["relay_gc_pause_seconds"] == pytest.approx(0.07)


def test_a_stopped_probe_leaves_nothing(probe):
    probe.stop()
    probe.stop()
    assert probe.loop.timers[-1].is_cancelled
    assert not [callback for callback in gc.callbacks if getattr(callback, "__self__", None) is probe]
