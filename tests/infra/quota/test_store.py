"""The counts of all gateways in a real Redis: the rules of lease.lua, restarts, failovers and late replies."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from leasing.store import SimulatedStore
from redis.crc import key_slot
from redis.exceptions import ReadOnlyError, ResponseError

from relay.domain.fault import FAULTS
from relay.infra.quota.store import QuotaStore
from relay.infra.redis_client import make_redis_client
from relay.policy.quota.leases import LeaseRequest
from relay.policy.quota.limits import Limit
from relay.policy.quota.slots import SlotRequest
from relay.policy.settings.scalars import Rate

TIMEOUT_S = 1.0
"""Longer than in production: these tests share their cores."""


def ask(
    wanted, debt=0.0, *, key="provider:bank", per_second=0.01, burst=10, operator="", is_scheduled=False, weight=1.0
):
    """A request of a limit that is hardly paid off while a test runs."""
    rate = Rate(per_second=per_second, burst=burst)
    return LeaseRequest(Limit(key, rate, FAULTS["provider_rate"], operator, is_scheduled, weight), wanted, debt)


@pytest.fixture
async def make_store(redis):
    clients = []

    def make(name="a", timeout_s=TIMEOUT_S, url=None):
        clients.append(make_redis_client(url, TIMEOUT_S) if url else redis)
        return QuotaStore(clients[-1], name, timeout_s)

    yield make
    for client in clients:
        await client.aclose()


async def test_wanted_requests_are_leased_up_to_the_burst(make_store):
    store = make_store()
    first, second = (await store.lease([ask(7)])).leases[0], (await store.lease([ask(7)])).leases[0]
    assert (first.permits, first.wait_s, second.permits) == (7, 0, 3)
    assert first.level == pytest.approx(7)
    assert second.wait_s == pytest.approx(100, rel=0.01)


async def test_gateways_share_one_count_and_see_each_other(make_store):
    one, other = make_store("a"), make_store("b")
    assert (await one.lease([ask(4)])).gateways == 1
    reply = await other.lease([ask(10)])
    assert (reply.gateways, reply.leases[0].permits) == (2, 6)
    assert (await one.lease([])).gateways == 2


async def test_a_gateway_that_leaves_is_not_counted(make_store, redis_server):
    leaving = make_store("b", url=redis_server.url)
    await leaving.lease([])
    await leaving.leave()
    assert (await make_store().lease([])).gateways == 1


async def test_a_rate_is_paid_off_with_time(make_store):
    store = make_store()
    assert (await store.lease([ask(10, per_second=1000)])).leases[0].permits == 10
    await asyncio.sleep(0.03)
    assert (await store.lease([ask(10, per_second=1000)])).leases[0].permits == 10


async def test_debts_are_counted_and_returned_requests_are_not(make_store):
    store = make_store()
    assert (await store.lease([ask(0, 8.0)])).leases[0].level == pytest.approx(8)
    assert (await store.lease([ask(10)])).leases[0].permits == 2
    assert (await store.lease([ask(10, -3.0)])).leases[0].permits == 3


async def test_counts_expire_when_they_are_paid_off(make_store, redis):
    await make_store().lease([ask(10, per_second=100)])
    assert 1000 < await redis.pttl("relay:{quota}:provider:bank") <= 1100


async def test_all_keys_are_in_one_slot_of_a_cluster(make_store, redis):
    await make_store().lease([ask(1), ask(1, key="operator_provider:a:b")])
    keys = await redis.keys("*")
    assert (len(keys), len({key_slot(key) for key in keys})) == (4, 1)


async def test_a_restarted_server_gets_the_script_again(make_store, redis):
    store = make_store()
    await store.lease([ask(1)])
    await redis.script_flush()
    assert (await store.lease([ask(1)])).leases[0].level == pytest.approx(2, abs=0.01)


async def test_a_key_of_another_kind_is_an_error(make_store, redis):
    await redis.set("relay:{quota}:provider:bank", "1")
    with pytest.raises(ResponseError):
        await make_store().lease([ask(1)])


async def test_a_former_master_refuses_to_count(make_store, redis):
    await redis.config_set("min-replicas-to-write", 0)
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(ReadOnlyError):
            await make_store().lease([ask(1)])
    finally:
        await redis.execute_command("REPLICAOF", "NO", "ONE")


async def test_a_server_that_hangs_is_given_up_in_time(make_store, gate):
    store = make_store(url=gate.url, timeout_s=0.02)
    gate.open.clear()
    with pytest.raises(TimeoutError):
        await store.lease([ask(1)])


async def test_no_late_reply_reaches_another_call(make_store, gate, redis):
    store = make_store(url=gate.url)
    keys = [f"provider:{number}" for number in range(40)]
    await store.lease([ask(0, float(number), key=key, burst=100) for number, key in enumerate(keys)])

    async def read_level(number):
        (reply,) = (await store.lease([ask(0, key=keys[number], burst=100)])).leases
        return reply.level

    for turn in range(30):
        gate.open.clear()
        calls = [asyncio.create_task(read_level(number)) for number in range(0, 40, 4)]
        await gate.heard.wait()
        for task in calls[turn % 2 :: 2]:
            task.cancel()
        gate.open.set()
        levels = await asyncio.gather(*calls, return_exceptions=True)
        for number, level in zip(range(0, 40, 4), levels, strict=True):
            assert isinstance(level, asyncio.CancelledError) or level == pytest.approx(number, abs=0.2)


async def test_slots_are_given_up_to_the_concurrency(make_store):
    one, other = make_store("a"), make_store("b")
    assert (await one.lease([], [SlotRequest("bank", 5, 0, 3)])).slots == [3]
    assert (await other.lease([], [SlotRequest("bank", 5, 0, 4)])).slots == [2]
    assert (await one.lease([], [SlotRequest("bank", 5, 3, 9)])).slots in ([2], [3])


async def test_a_gateway_that_leaves_returns_its_slots(make_store, redis_server):
    leaving = make_store("b", url=redis_server.url)
    await leaving.lease([], [SlotRequest("bank", 5, 5, 5)])
    await leaving.leave([SlotRequest("bank", 5, 0, 0)])
    assert (await make_store().lease([], [SlotRequest("bank", 5, 0, 5)])).slots == [5]


async def test_a_lowered_burst_limits_what_is_counted(make_store):
    store = make_store()
    await store.lease([ask(10)])
    lowered = replace(ask(1, burst=4), is_lowered=True)
    assert (await store.lease([lowered])).leases[0].level == pytest.approx(4)
    fair = replace(ask(1, burst=2, operator="one"), is_lowered=True)
    assert (await store.lease([fair])).leases[0].level == pytest.approx(2)


async def test_a_restarted_gateway_removes_the_crashed_one(make_store):
    crashed, other, restarted = (
        make_store(f"{host}:boot:1:1:{number}") for number, host in enumerate(["host", "other", "host"])
    )
    for store in (crashed, other):
        await store.lease([])
    await restarted.connect()
    assert (await restarted.lease([])).gateways == 2


async def test_a_restarted_container_removes_only_silent_ones(make_store, redis):
    await make_store("host:boot:22:1:0").lease([])
    now = (await redis.time())[0]
    await redis.zadd("relay:{quota}:gateways", {"host:boot:33:1:0": now - 5})
    restarted = make_store("host:boot:11:1:0")
    await restarted.connect()
    assert (await restarted.lease([])).gateways == 2


async def test_gateways_of_before_an_outage_keep_their_part(make_store):
    store = make_store()
    reply = await store.lease([ask(10)], gateways=2)
    assert (reply.gateways, reply.leases[0].permits) == (2, 5)
    assert (await store.lease([ask(10)])).leases[0].permits == 5


async def test_an_evicted_list_of_gateways_raises_no_rate(make_store, redis):
    stores = [make_store(name) for name in "abc"]
    for store in stores:
        await store.lease([])
    await redis.delete("relay:{quota}:gateways")
    reply = await stores[0].lease([ask(100)])
    assert (reply.gateways, reply.leases[0].permits) == (3, 10)


async def test_an_ended_gateway_is_forgotten_though_the_clock_was_set_back(make_store, redis):
    future = (await redis.time())[0] + 3600
    for key in ("gateways", "together"):
        await redis.zadd("relay:{quota}:" + key, {"ended": future})
    await redis.hset("relay:{quota}:slots:bank", "ended", f"3 3 {future}.0")
    assert (await make_store().lease([], [SlotRequest("bank", 5, 0, 5)])).slots == [2]
    assert (await redis.zscore("relay:{quota}:gateways", "ended")) < future - 3000
    assert (await redis.zscore("relay:{quota}:together", "ended")) < future - 3000
    assert float((await redis.hget("relay:{quota}:slots:bank", "ended")).split()[2]) < future - 3000


async def test_operators_are_counted_anew_when_the_clock_was_set_back(make_store, redis):
    store, future = make_store(), (await redis.time())[0] + 3600
    ended = {"operator:ended": f"5.0 {future}.0 1.0", "operator:one": f"0.0 {future}.0 1.0"}
    await redis.hset("relay:{quota}:provider:bank", mapping=ended | {"counted_at": future, "weights": "2.0"})
    await store.lease([ask(1, operator="one")])
    assert float(await redis.hget("relay:{quota}:provider:bank", "weights")) == 1


async def test_rates_and_slots_are_asked_for_at_once(make_store):
    reply = await make_store().lease([ask(2), ask(1, key="service:app")], [SlotRequest("bank", 5, 0, 3)])
    assert ([lease.permits for lease in reply.leases], reply.slots) == ([2, 1], [3])


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 30),
        st.sampled_from([0.0, 0.0, 0.5, 12.25, -1.0, -40.0]),
        st.sampled_from(["provider:x", "provider:y"]),
        st.sampled_from(["one", "two", "three"]),
        st.booleans(),
        st.sampled_from([1.0, 1.0, 0.5, 3.0]),
    ),
    max_size=15,
)


@settings(max_examples=60)
@given(steps=STEPS, burst=st.integers(1, 40), is_fair=st.booleans())
def test_the_script_counts_like_its_twin_in_python(redis_server, steps, burst, is_fair):
    async def compare():
        redis, twin = make_redis_client(redis_server.url), SimulatedStore()
        try:
            await redis.flushall()
            for name, wanted, debt, key, operator, is_scheduled, weight in steps:
                call = {"operator": operator, "is_scheduled": is_scheduled, "weight": weight} if is_fair else {}
                request = ask(wanted, debt, key=key, per_second=0.001, burst=burst, **call)
                reply = await QuotaStore(redis, name, TIMEOUT_S).lease([request])
                gateways, (expected,) = twin.lease(name, [request], 0.0)
                assert (reply.gateways, reply.leases[0].permits) == (gateways, expected.permits)
                assert reply.leases[0].level == pytest.approx(expected.level, abs=0.01)
                assert reply.leases[0].wait_s == pytest.approx(expected.wait_s, abs=10)
        finally:
            await redis.aclose()

    asyncio.run(compare())


@settings(max_examples=60)
@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9)), max_size=12),
    concurrency=st.integers(1, 9),
)
def test_the_script_shares_slots_like_its_twin(redis_server, steps, concurrency):
    async def compare():
        redis, twin = make_redis_client(redis_server.url), SimulatedStore()
        try:
            await redis.flushall()
            (begin_s, _) = await redis.time()
            for name, in_use, wanted in steps:
                request = SlotRequest("bank", concurrency, in_use, wanted)
                reply = await QuotaStore(redis, name, TIMEOUT_S).lease([], [request])
                assume((await redis.time())[0] == begin_s)  # slots that do not divide change hands each second
                assert (reply.gateways, reply.slots) == twin.lease(name, [request], float(begin_s))
        finally:
            await redis.aclose()

    asyncio.run(compare())
