"""Tests of signals that stop authority and jobs."""

import asyncio
import os
import signal

import pytest

from relay.policy.settings.model import DrainSettings
from relay.policy.settings.stop_time import compute_gateway_stop_s
from relay.runtime.processes.child_stops import MARGIN_S, DeferredStop, handle_stops


class Stops:
    """Counts calls of `stop`."""

    def __init__(self):
        self.number = 0
        self.stopped = asyncio.Event()

    def stop(self):
        self.number += 1
        self.stopped.set()


@pytest.fixture
async def stops():
    yield Stops()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_child_defers_the_first_signal(stops, caplog):
    caplog.set_level("INFO")
    DeferredStop("jobs", stops.stop, 1000.0).handle_signal()
    await asyncio.sleep(0)
    assert stops.number == 0
    assert caplog.messages == ["stop deferred until the gateway has ended: role=jobs at_most_s=1000.0"]


async def test_a_second_signal_stops_a_child_at_once(stops):
    deferred = DeferredStop("jobs", stops.stop, 1000.0)
    deferred.handle_signal()
    deferred.handle_signal()
    assert stops.number == 1


async def test_a_deferred_stop_has_a_bound(stops):
    DeferredStop("jobs", stops.stop, 0.001).handle_signal()
    await asyncio.wait_for(stops.stopped.wait(), 20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_without_parent_stops_at_once(stops, number):
    handle_stops("authority", stops.stop, None)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(stops.stopped.wait(), 20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_child_waits_longer_than_its_gateway_takes(stops, number, caplog):
    caplog.set_level("INFO")
    drain = DrainSettings(delay_s=10, finish_s=20)
    handle_stops("authority", stops.stop, drain)
    os.kill(os.getpid(), number)
    async with asyncio.timeout(20):
        while not caplog.messages:  # noqa: ASYNC110 - the signal has no event
            await asyncio.sleep(0.001)
    assert stops.number == 0
    assert f"at_most_s={compute_gateway_stop_s(drain) + MARGIN_S:.1f}" in caplog.text
