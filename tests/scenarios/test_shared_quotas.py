"""Two gateways and a real Redis: together they keep the rate of an institution, also while Redis is unavailable."""

import asyncio

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, TWO, build_provider
from fixtures.institution import Institution
from fixtures.two_gateways import SLOW, TwoGateways
from fixtures.waiting import until
from harness.redis_server import RedisServer

from relay.infra.redis_client import make_redis_client
from relay.policy.quota.leases import LEASE_S

RATE = {"per_second": 50, "burst": 5}
OTHER = "ZBAA000002"
CONCURRENCY = 5
"""Calls that may be in flight at the slow institution."""

OUTAGE_S = 0.5
"""Time for which Redis leaves a silent gateway its part."""


@pytest.fixture
def redis():
    server = RedisServer()
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def env(tmp_path, certificates, redis):
    institutions = [
        Institution(BANK, "bank", timeouts=LONG_TIMEOUTS, rate=RATE),
        Institution(OTHER, "bank", timeouts=LONG_TIMEOUTS),
        Institution(SLOW, "bank", timeouts=LONG_TIMEOUTS, concurrency=CONCURRENCY),
    ]
    quotas = {"redis": redis.url, "gateways": 2, "timeout_s": 0.2}  # these processes share their cores with the suite
    env = TwoGateways(tmp_path, certificates, institutions, quotas=quotas)
    try:
        await env.open()
        await until(lambda: env.count_gateways() == [(0, 2), (0, 2)], "both gateways in the store")
        yield env
    finally:
        await env.close()


def count_most(outages=0):
    """Returns the most calls that the bound of docs/design/quotas.md allows in a second."""
    rate, burst = RATE["per_second"], RATE["burst"]
    return rate * (1 + LEASE_S) + burst + outages * (burst + rate * OUTAGE_S / 2)


async def test_two_gateways_together_keep_the_rate_of_an_institution(env, caplog, full_size):
    seconds = 60.0 if full_size else 2.5
    codes = await env.attack(seconds)
    assert env.find_most() <= count_most(caplog.text.count("quota store unavailable"))  # on a machine that is too slow
    assert set(codes) == {"00000", "42901"}
    assert codes.count("00000") == len(env.passed) > 0.6 * RATE["per_second"] * seconds


async def test_the_rate_holds_while_redis_is_killed_and_back(env, redis, full_size):
    attack = asyncio.create_task(env.attack(60.0 if full_size else 5.0))
    await until(lambda: len(env.passed) > 30, "calls")
    redis.kill()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [1, 1], "gateways that count alone")
    alone = len(env.passed)
    await until(lambda: len(env.passed) > alone + 50, "calls without Redis")
    redis.start()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [0, 0], "gateways that count together")
    codes = await attack
    assert set(codes) == {"00000", "42901"}
    assert env.find_most() <= count_most(outages=2)


async def test_a_flood_leaves_another_operator_its_calls(env):
    await env.change_rate({"per_second": 50, "burst": 50})
    flood, small = await asyncio.gather(env.call_steadily(300, 4.0), env.call_steadily(5, 4.0, operator=TWO))
    assert small.count("00000") >= 0.6 * len(small)  # test_fair_share has the exact parts, this machine may be slow
    assert flood.count("00000") <= 0.3 * len(flood)


async def test_calls_on_demand_go_before_scheduled_transfers(env):
    await env.change_rate({"per_second": 50, "burst": 50})
    on_demand, scheduled = await asyncio.gather(
        env.call_steadily(45, 4.0), env.call_steadily(55, 4.0, operator=TWO, x_api_type="scheduled")
    )
    assert on_demand.count("00000") / len(on_demand) >= 1.5 * scheduled.count("00000") / len(scheduled)


async def test_a_paused_redis_delays_no_other_institution(env, redis):
    await env.call(env.build_get(provider=OTHER))
    redis.pause()
    try:
        codes = await env.attack(1.0, provider=OTHER)
        assert set(codes) == {"00000"}
    finally:
        redis.go_on()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [0, 0], "gateways that count together")


async def test_two_gateways_together_keep_the_concurrency(env, caplog):
    codes = await env.attack(2.0, provider=SLOW)
    outages = caplog.text.count("quota store unavailable")  # on a machine that is too slow
    assert set(codes) == {"00000"}
    assert env.most_in_flight <= CONCURRENCY * (1 + outages)
    assert len(codes) > 200  # with one slot it would be 100


async def test_a_reload_gives_a_changed_institution_its_slots(env, caplog):
    assert (await env.call(env.build_get(provider=SLOW))).status == 200
    env.institutions[SLOW].settings["concurrency"] = 2
    env.write_file(f"providers/{SLOW}.yaml", build_provider(env.institutions[SLOW]))
    for process in env.gateways:
        await process.reload()
    env.most_in_flight = 0
    codes = await env.attack(1.0, provider=SLOW)
    assert set(codes) == {"00000"}
    assert env.most_in_flight <= 2 * (1 + caplog.text.count("quota store unavailable"))


async def test_a_caller_that_leaves_while_it_waits_holds_nothing(env, redis):
    redis.pause()
    connection = await env.connect()
    connection.send(env.build_get())
    await until(lambda: env.relay.gateway.in_flight, "the call")
    connection.abort()
    redis.go_on()
    await env.wait_idle()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [0, 0], "gateways that count together")
    assert [exchange.reason for exchange in env.exchanges] in (["operator_gone"], ["operator_slow"])
    assert (await env.call()).status == 200


async def test_a_redis_that_refuses_is_as_one_that_is_away(env, redis):
    client = make_redis_client(redis.url)
    for key in (f"provider:{BANK}", "gateways"):
        await client.delete("relay:{quota}:" + key)
        await client.set("relay:{quota}:" + key, "not a count")
    await client.aclose()
    assert (await env.call()).status == 200
    await until(lambda: env.count_gateways()[0][0], "a gateway that counts alone")


async def test_a_stopped_gateway_leaves_its_part_to_the_other(env):
    env.second.stop()
    await until(lambda: env.process.relay.counters.gauges()["relay_quota_gateways"] == 1, "one gateway")
