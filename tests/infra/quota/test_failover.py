"""Quotas while the master of Redis is killed and its replica promoted by a Sentinel: real servers."""

import asyncio
import time

import pytest
from harness.redis_sentinel import RedisWithSentinel
from mydata_sandbox.sockets import bind_socket

from relay.domain.fault import Refusal
from relay.domain.quota import NotLeased
from relay.infra.quota.shared import SharedQuotaCounters
from relay.infra.quota.store import QuotaStore
from relay.infra.redis_client import make_redis_client
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

TIMEOUT_S = 0.09
"""Longer than in production: these tests share their cores."""

CALL = ("one", "bank", "app", False)
RATE = Rate(per_second=100, burst=20)


@pytest.fixture
def servers():
    sockets = [bind_socket() for _ in range(3)]
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    servers = RedisWithSentinel(ports)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


class Gateway:
    """One gateway that counts through the servers. `passed` are the times of its calls."""

    def __init__(self, name, url):
        store = QuotaStore(make_redis_client(url, TIMEOUT_S, 1.0), name, TIMEOUT_S)
        table = LimitTable(Rate(per_second=10_000, burst=10_000), {"bank": RATE})
        self.counters = SharedQuotaCounters(table, store, 2, time.monotonic)
        self.passed = []

    @property
    def is_alone(self):
        return bool(self.counters.gauges()["relay_quota_alone"])

    async def call(self, until):
        """Makes calls until a time: about three times the rate."""
        while time.monotonic() < until:
            try:
                self.counters.take(CALL, time.monotonic())
                self.passed.append(time.monotonic())
            except NotLeased:
                await self.counters.wait()
            except Refusal:
                pass
            await asyncio.sleep(0.003)


async def wait_until(check):
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def test_gateways_follow_the_promoted_replica(servers):
    gateways = [Gateway(name, servers.url) for name in "ab"]
    tasks = [asyncio.create_task(gateway.counters.run()) for gateway in gateways]
    try:
        await wait_until(lambda: not any(gateway.is_alone for gateway in gateways))
        begun = time.monotonic()
        calls = [asyncio.create_task(gateway.call(begun + 4.0)) for gateway in gateways]
        await asyncio.sleep(0.5)
        await asyncio.to_thread(servers.kill_master)
        await wait_until(lambda: all(gateway.is_alone for gateway in gateways))
        await asyncio.to_thread(servers.wait_for_promotion)
        await wait_until(lambda: not any(gateway.is_alone for gateway in gateways))
        assert {gateway.counters.gauges()["relay_quota_gateways"] for gateway in gateways} == {2}
        await asyncio.gather(*calls)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    passed = sum(len(gateway.passed) for gateway in gateways)
    assert 0.5 * 4 * RATE.per_second <= passed <= 4.1 * RATE.per_second + 4 * RATE.burst
