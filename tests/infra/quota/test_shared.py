"""Counters that ask a shared store: waiting calls, outages, and the way back."""

import asyncio
import time

import pytest
from leasing.store import SimulatedStore
from redis.exceptions import ConnectionError as RedisUnreachable

from relay.domain.fault import Refusal
from relay.domain.quota import NotLeased
from relay.infra.quota.shared import SharedQuotaCounters
from relay.infra.quota.store import StoreReply
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

CALL = ("one", "bank", "app", False)


class Clock:
    """The monotonic clock, and `late_s` more."""

    late_s = 0.0

    def __call__(self):
        return time.monotonic() + self.late_s


class Store:
    """A store that replies, or raises `error`; `held` keeps a reply back until it is set."""

    def __init__(self):
        self.simulated, self.error = SimulatedStore(), None
        self.asked, self.connects, self.resets, self.has_left = [], 0, 0, False
        self.late_s, self.fails_each, self.clock = 0.0, 0, Clock()
        self.held = asyncio.Event()
        self.held.set()
        self.closed = asyncio.Event()
        self.closed.set()

    async def connect(self):
        self.connects += 1
        await self.held.wait()
        if self.error is not None:
            raise self.error

    async def lease(self, rates, institutions=(), *, is_alone=False, gateways=0):
        self.asked.append([*rates, *institutions])
        await self.held.wait()
        self.clock.late_s += self.late_s
        if self.error is not None or (self.fails_each and len(self.asked) % self.fails_each == 0):
            raise self.error or TimeoutError
        gateways, replies = self.simulated.lease(
            "a", self.asked[-1], time.monotonic(), is_alone=is_alone, gateways=gateways
        )
        return StoreReply(gateways, len(self.simulated.seen), replies[: len(rates)], replies[len(rates) :])

    async def leave(self, institutions):
        self.returned = institutions
        self.has_left = True
        if self.error is not None:
            raise self.error

    async def reset(self):
        self.resets += 1
        await self.closed.wait()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
async def quotas(store):
    rate = Rate(per_second=0.01, burst=4)
    quotas = SharedQuotaCounters(LimitTable(Rate(per_second=1, burst=100), {"bank": rate}), store, 2, store.clock)
    await quotas.start()
    task = asyncio.create_task(quotas.run())
    yield quotas
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def call(quotas):
    """Makes a call as the gateway does. Returns the name of its refusal, "" if it passed."""
    while True:
        try:
            quotas.take(CALL, time.monotonic())
        except NotLeased:
            await quotas.wait()
        except Refusal as refusal:
            return refusal.fault.name
        else:
            return ""


async def until(check):
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)


async def test_calls_that_wait_at_once_ask_the_store_once(quotas, store):
    assert sorted(await asyncio.gather(*(call(quotas) for _ in range(6)))) == ["", "", "", "", *["provider_rate"] * 2]
    asked = [requests for requests in store.asked if any(request.wanted for request in requests)]
    assert [request.wanted for request in asked[0]] == [6, 6]


async def test_a_store_that_fails_makes_no_call_fail(quotas, store, caplog):
    store.error = RedisUnreachable()
    assert [await call(quotas) for _ in range(3)] == ["", "", "provider_rate"]  # half of 4: two gateways at least
    assert quotas.gauges() == {"relay_quota_alone": 1, "relay_quota_gateways": 2}
    assert store.resets >= 1
    assert "quota store unavailable: cause=ConnectionError" in caplog.text


async def test_a_store_that_comes_back_learns_what_was_counted(quotas, store):
    store.error = TimeoutError()
    assert [await call(quotas) for _ in range(2)] == ["", ""]
    store.error = None
    await until(lambda: not quotas.gauges()["relay_quota_alone"])
    level = store.simulated.counts["provider:bank"].level
    assert level == pytest.approx(2, abs=0.1)
    assert [await call(quotas) for _ in range(3)] == ["provider_rate"] * 3  # the rest is left to the other gateway


async def test_no_call_waits_for_a_store_that_is_away(quotas, store):
    store.error = TimeoutError()
    await call(quotas)
    store.held.clear()
    connects = store.connects
    await until(lambda: store.connects > connects)
    assert await call(quotas) == ""


async def test_calls_that_came_before_a_failure_do_not_wait(quotas, store):
    store.held.clear()
    first = asyncio.create_task(call(quotas))
    await until(lambda: store.asked and any(request.wanted for request in store.asked[-1]))
    second = asyncio.create_task(call(quotas))
    await asyncio.sleep(0)
    resets, store.error = store.resets, TimeoutError()
    store.held.set()
    await until(lambda: store.resets > resets)
    store.held.clear()  # the store is asked again without an end
    async with asyncio.timeout(10):
        assert [await first, await second] == ["", ""]


async def test_replies_that_come_too_late_are_an_outage(quotas, store):
    store.late_s = 0.11
    await until(lambda: quotas.gauges()["relay_quota_alone"])
    assert await call(quotas) == ""


async def test_repeated_outages_keep_no_ended_gateway(quotas, store):
    def count():
        return quotas.gauges()["relay_quota_gateways"]

    store.simulated.seen |= dict.fromkeys("bcdefg", time.monotonic())
    await until(lambda: count() == 7)
    for pause_s in (0.0, 20.0, 20.0):
        store.clock.late_s += pause_s
        store.error = TimeoutError()
        await until(lambda: quotas.gauges()["relay_quota_alone"])
        store.simulated.forget()
        store.error = None
        await until(lambda: not quotas.gauges()["relay_quota_alone"])
        asked = len(store.asked)
        await until(lambda before=asked: len(store.asked) > before + 1)
    assert count() == 2  # the fixture has two at least


async def test_one_late_reply_is_no_outage(quotas, store):
    store.late_s = 0.11
    asked = len(store.asked)
    await until(lambda: len(store.asked) > asked)
    store.late_s = 0.0
    asked = len(store.asked)
    await until(lambda: len(store.asked) > asked + 3)
    assert not quotas.gauges()["relay_quota_alone"]


async def test_a_store_that_fails_now_and_then_is_left_alone(quotas, store):
    store.error = TimeoutError()
    await call(quotas)
    store.error, store.fails_each = None, 3
    connects = store.connects
    await until(lambda: store.connects > connects + 1)
    assert quotas.gauges()["relay_quota_alone"]
    store.fails_each = 0
    await until(lambda: not quotas.gauges()["relay_quota_alone"])


async def test_an_idle_gateway_shows_that_it_lives(quotas, store):
    await until(lambda: len(store.asked) >= 3)
    assert store.asked == [[]] * len(store.asked)


async def test_the_other_gateways_learn_of_the_end(store):
    table = LimitTable(Rate(per_second=1, burst=100), {})
    for store.error in (None, TimeoutError()):
        task = asyncio.create_task(SharedQuotaCounters(table, store, 1, time.monotonic).run())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.has_left


async def test_a_raised_rate_applies_at_once(quotas):
    assert [await call(quotas) for _ in range(5)] == [*[""] * 4, "provider_rate"]
    raised = LimitTable(Rate(per_second=1, burst=100), {"bank": Rate(per_second=100, burst=8)})
    quotas.adjust(raised)
    assert await call(quotas) == ""


class Pool:
    """Calls that wait for slots of an institution."""

    slots, pool = None, "bank"

    def count_calls(self):
        return 0, 3

    def share_slots(self, on_wait):
        self.on_wait = on_wait

    def set_slots(self, slots):
        self.slots = slots


async def test_slots_of_institutions_are_shared(quotas, store):
    pool = Pool()
    quotas.share_slots([("bank", 8, pool)])
    pool.on_wait()
    await until(lambda: pool.slots == 5)
    store.error = TimeoutError()
    await until(lambda: quotas.gauges()["relay_quota_alone"])
    assert pool.slots == 4  # a half of 8


async def test_a_reload_in_an_outage_gives_a_changed_institution_its_part(quotas, store):
    store.error = TimeoutError()
    await until(lambda: quotas.gauges()["relay_quota_alone"])
    pool = Pool()
    quotas.share_slots([("bank", 8, pool)])
    assert pool.slots == 4


async def test_no_call_waits_for_a_connection_that_closes_slowly(quotas, store):
    store.closed.clear()
    store.error = TimeoutError()
    async with asyncio.timeout(10):
        assert await call(quotas) == ""
    store.closed.set()


async def test_slots_are_returned_at_the_end(store):
    quotas = SharedQuotaCounters(LimitTable(Rate(per_second=1, burst=1), {}), store, 1, time.monotonic)
    pool = Pool()
    quotas.share_slots([("bank", 2, pool)])
    task = asyncio.create_task(quotas.run())
    await until(lambda: pool.slots == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [(request.org_code, request.in_use, request.wanted) for request in store.returned] == [("bank", 0, 0)]


async def test_calls_that_come_during_a_question_take_no_leased_request(quotas, store):
    store.held.clear()
    first = asyncio.create_task(call(quotas))
    await until(lambda: any(request.wanted for requests in store.asked for request in requests))
    second = asyncio.create_task(call(quotas))
    await asyncio.sleep(0)
    before = len(store.asked)
    store.held.set()
    assert [await first, await second] == ["", ""]
    wanted = [request.wanted for requests in store.asked[before:] for request in requests]
    assert wanted == [1, 1]  # those of the second call: the first has what it was leased


async def test_an_unexpected_error_of_the_store_leaves_no_call_waiting(quotas, store):
    store.error = RuntimeError("a bug")
    assert await call(quotas) == ""
    assert quotas.gauges()["relay_quota_alone"]


async def test_a_call_after_the_end_waits_for_nothing(store):
    quotas = SharedQuotaCounters(LimitTable(Rate(per_second=1, burst=1), {}), store, 1, time.monotonic)
    task = asyncio.create_task(quotas.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await call(quotas) == ""
