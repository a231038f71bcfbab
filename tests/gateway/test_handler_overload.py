"""Calls at an overloaded gateway."""

import asyncio
import json
from dataclasses import replace

import pytest

from relay.domain.authorization.token import NotVerified
from relay.domain.fault import FAULTS
from relay.domain.party import Peer
from relay.policy.quota.overload import MIN_IN_FLIGHT, RISE_WINDOWS, Measure, OverloadGate, OverloadLimits


@pytest.fixture
def overload():
    gate = OverloadGate(OverloadLimits(lag_s=0.25))
    gate.hold_s = 0.0
    return gate


@pytest.fixture
def dependencies(dependencies, overload):
    return replace(dependencies, overload=overload)


@pytest.fixture
def plan(plan_with_portal):
    return plan_with_portal


def observe(overload, windows):
    for _ in range(windows):
        overload.observe(Measure(5.0))


async def settle(scene):
    """Waits until each refused call is answered."""
    async with asyncio.timeout(20):
        while scene.gateway.in_flight > len(scene.upstream.asked) + len(scene.authority.asked):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_scheduled_transfers_are_refused_first(scene, overload):
    observe(overload, RISE_WINDOWS)
    scene.ask(x_api_type="scheduled")
    await settle(scene)
    assert "HTTP/1.1 429" in scene.connection.head
    assert "retry-after: 6" in scene.connection.head
    assert json.loads(scene.connection.body)["rsp_code"] == "42901"
    (record,) = scene.records
    assert (record.reason, record.api_type, record.api_code) == ("overload_scheduled", "scheduled", "BA01")
    assert (record.provider, record.operator, record.client_id) == ("ZBAA000001", "ZOPA000001", "ZOPA000001SVC01")
    scene.ask()
    assert len(scene.upstream.asked) == 1


async def test_most_calls_on_demand_are_refused_in_a_long_overload(scene, overload):
    observe(overload, 100)
    for _ in range(100):
        scene.ask()
    await settle(scene)
    assert scene.recorded.count("overload") == pytest.approx(95, abs=2)
    assert len(scene.upstream.asked) == pytest.approx(5, abs=2)
    assert scene.connection.will_close is False


async def test_a_refusal_does_not_wait_for_its_token(scene, overload):
    def defer(*_):
        raise NotVerified

    observe(overload, RISE_WINDOWS)
    scene.token_verifier.verify = defer
    scene.ask(x_api_type="scheduled")
    await settle(scene)
    assert [(each.reason, each.client_id) for each in scene.records] == [("overload_scheduled", "")]


async def test_a_refusal_is_held_back(scene, overload):
    overload.hold_s = 0.05
    observe(overload, RISE_WINDOWS)
    scene.ask(x_api_type="scheduled")
    await asyncio.sleep(0)
    assert (scene.connection.written, scene.gateway.in_flight) == (b"", 1)
    await settle(scene)
    assert (scene.recorded, scene.connection.source) == (["overload_scheduled"], None)


async def test_an_operator_that_disconnects_before_its_refusal_is_gone(scene, overload):
    observe(overload, RISE_WINDOWS)
    scene.ask(x_api_type="scheduled")
    scene.connection.source.peer_disconnected()
    await asyncio.sleep(0.01)
    assert (scene.recorded, scene.connection.written) == (["operator_gone"], b"")


def test_an_unknown_peer_is_still_refused_as_unknown(scene, overload):
    observe(overload, 100)
    scene.connection.info.peer = Peer("9998109999", "192.0.2.1")
    scene.ask(x_api_type="scheduled")
    assert scene.recorded == ["serial_unknown"]


def test_calls_in_progress_are_finished(scene, overload):
    scene.ask()
    observe(overload, 100)
    named = {b"x-api-tran-id": b"ZOPA000001M00000000000001"}
    scene.upstream.receiver.response_received(200, named, b'{"rsp_code":"00000"}')
    assert scene.recorded == [""]


async def test_oauth_calls_are_temporarily_unavailable(scene, overload):
    observe(overload, 100)
    for _ in range(20):
        scene.ask("/oauth/2.0/token", method="POST", body=b"grant_type=refresh_token")
    await settle(scene)
    assert len(scene.authority.asked) == pytest.approx(1, abs=1)
    refused = next(index for index, each in enumerate(scene.records) if each.reason == "overload")
    assert (scene.records[refused].status, scene.records[refused].error) == (503, "temporarily_unavailable")
    assert b"HTTP/1.1 503" in scene.connection.written
    assert b"retry-after: 6" in scene.connection.written.lower()


def test_the_portal_is_never_refused(scene, overload, plan_with_portal):
    observe(overload, 100)
    for path in plan_with_portal.support:
        for _ in range(20):
            scene.ask(path.decode(), method=plan_with_portal.support[path])
    assert "overload" not in scene.recorded


async def test_refusals_that_are_held_back_do_not_keep_up_an_overload(scene, overload):
    """Memory that stays above its limit refuses no call while few calls use it, however many are refused."""
    overload.adjust(OverloadLimits(memory_bytes=1000))
    for _ in range(MIN_IN_FLIGHT + 1):
        scene.ask()
    for _ in range(20):
        overload.observe(Measure(0.0, 1001, scene.gateway.accepted))
    overload.hold_s = 60.0
    for _ in range(10 * MIN_IN_FLIGHT):
        scene.ask(x_api_type="scheduled")
    scene.connection.source.peer_disconnected()
    assert (scene.gateway.in_flight, scene.gateway.accepted) == (11 * MIN_IN_FLIGHT, MIN_IN_FLIGHT + 1)
    scene.upstream.receiver.request_failed(FAULTS["provider_reset"])
    overload.observe(Measure(0.0, 1001, scene.gateway.accepted))
    for _ in range(20):
        scene.ask()
    assert len(scene.upstream.asked) == MIN_IN_FLIGHT + 21
