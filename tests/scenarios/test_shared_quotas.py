"""Two gateways and a real Redis: together they keep the rate of an institution, also while Redis is unavailable."""

import asyncio
import time
from bisect import bisect_right

import pytest
import pytest_asyncio
from fixtures.caller import Connection
from fixtures.gateway_environment import (
    BANK,
    LONG_TIMEOUTS,
    ONE,
    TWO,
    GatewayEnvironment,
    build_provider,
    build_settings,
)
from fixtures.institution import Institution, answers_well
from fixtures.waiting import START_S, until
from harness.redis_server import RedisServer

from relay.infra.redis_client import make_redis_client
from relay.policy.quota.leases import LEASE_S
from relay.runtime.processes.gateway import GatewayProcess

RATE = {"per_second": 50, "burst": 5}
PAUSE_S = 0.01
"""Between two calls of a caller: each of eight makes up to 100 a second."""

OTHER, SLOW = "ZBAA000002", "ZBAA000003"
CONCURRENCY = 5
"""Calls that may be in flight at the slow institution."""

ANSWER_S = 0.02
"""Time that it takes to answer."""

OUTAGE_S = 0.5
"""Time for which Redis leaves a silent gateway its part."""


class TwoGateways(GatewayEnvironment):
    """Two gateways with one configuration. `passed` are the times of the calls that reached the bank."""

    def __init__(self, *args, **sections):
        super().__init__(*args, **sections)
        self.passed = []
        self.in_flight = self.most_in_flight = 0

    async def open(self):
        await super().open()
        second = build_settings(self.certificates, **self.sections)
        second |= {"access_log": {"path": "access2.log"}, "statistics": {"spool": "spool2"}}
        self.write_file("relay2.yaml", second)
        self.second = GatewayProcess(self.folder / "relay2.yaml")
        self._run_second = asyncio.get_running_loop().create_task(self.second.run())
        await until(lambda: self.second.ports or self._run_second.done(), "listening", START_S)
        self.second.relay.delivery.take = self.ledger_writer.take_batch
        self.bank.script = self._answer_and_note
        self.institutions[SLOW].script = self._answer_slowly

    async def close(self):
        self.second.stop()
        self.second.stop()
        await self._run_second
        await super().close()

    async def _answer_and_note(self, call, wire):
        self.passed.append(time.monotonic())
        await answers_well(call, wire)

    async def _answer_slowly(self, call, wire):
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(ANSWER_S)
        self.in_flight -= 1
        await answers_well(call, wire)

    @property
    def gateways(self):
        return (self.process, self.second)

    def count_gateways(self):
        """Returns what each gateway knows of the store and of the others."""
        return [tuple(process.relay.counters.gauges().values()) for process in self.gateways]

    async def attack(self, duration_s, provider=BANK):
        """Calls through both gateways as two operators. Returns the rsp_codes and the other institutions' ones."""
        ends, codes = time.monotonic() + duration_s, []

        async def call(process, operator):
            context = self.context(self.get_pair(operator))
            async with await Connection.open(process.ports[0], context) as connection:
                while time.monotonic() < ends:
                    codes.append((await connection.call(self.build_get(operator=operator, provider=provider))).rsp_code)
                    await asyncio.sleep(PAUSE_S)

        callers = [(process, operator) for process in self.gateways for operator in (ONE, TWO)] * 2
        await asyncio.gather(*(call(*caller) for caller in callers))
        return codes

    def find_most(self, window_s=1.0):
        """Returns the most calls that reached the bank in any window."""
        return max(bisect_right(self.passed, at + window_s) - index for index, at in enumerate(self.passed))


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


async def test_two_gateways_together_keep_the_rate_of_an_institution(env):
    codes = await env.attack(2.5)
    most = RATE["per_second"] * (1 + LEASE_S) + RATE["burst"]
    assert env.find_most() <= most
    assert set(codes) == {"00000", "42901"}
    assert codes.count("00000") == len(env.passed) > 75


async def test_the_rate_holds_while_redis_is_killed_and_back(env, redis):
    attack = asyncio.create_task(env.attack(5.0))
    await until(lambda: len(env.passed) > 30, "calls")
    redis.kill()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [1, 1], "gateways that count alone")
    alone = len(env.passed)
    await until(lambda: len(env.passed) > alone + 50, "calls without Redis")
    redis.start()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [0, 0], "gateways that count together")
    codes = await attack
    rate, burst = RATE["per_second"], RATE["burst"]
    assert set(codes) == {"00000", "42901"}
    assert env.find_most() <= rate * (1 + LEASE_S) + 3 * burst + rate * OUTAGE_S / 2


async def test_a_paused_redis_delays_no_other_institution(env, redis):
    await env.call(env.build_get(provider=OTHER))
    redis.pause()
    try:
        codes = await env.attack(1.0, provider=OTHER)
        assert set(codes) == {"00000"}
    finally:
        redis.go_on()
    await until(lambda: [is_alone for is_alone, _ in env.count_gateways()] == [0, 0], "gateways that count together")


async def test_two_gateways_together_keep_the_concurrency(env):
    codes = await env.attack(2.0, provider=SLOW)
    assert (set(codes), env.most_in_flight) == ({"00000"}, CONCURRENCY)
    assert len(codes) > 200  # with one slot it would be 100


async def test_a_reload_gives_a_changed_institution_its_slots(env):
    assert (await env.call(env.build_get(provider=SLOW))).status == 200
    env.institutions[SLOW].settings["concurrency"] = 2
    env.write_file(f"providers/{SLOW}.yaml", build_provider(env.institutions[SLOW]))
    for process in env.gateways:
        await process.reload()
    env.most_in_flight = 0
    codes = await env.attack(1.0, provider=SLOW)
    assert (set(codes), env.most_in_flight) == ({"00000"}, 2)


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
