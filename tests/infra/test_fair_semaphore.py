import asyncio
import gc
import threading
import weakref

import pytest

from relay.domain.queue_full import QueueFull
from relay.infra.fair_semaphore import MAX_WAITING, FairSemaphore, FairThreadPool

A, B = b"a", b"b"


class Group:
    """A group that a test can refer to weakly."""


def is_freed(reference):
    gc.collect()
    return reference() is None


async def check_unused(semaphore):
    """Checks that a semaphore of one permit and one waiter has neither: both are granted."""
    async with asyncio.timeout(1):
        await semaphore.acquire(A)
        waiting = asyncio.create_task(semaphore.acquire(B))
        await asyncio.sleep(0)
        semaphore.release(A)
        await waiting
        semaphore.release(B)


@pytest.fixture
def workers():
    """Builds thread pools that are closed after the test; each group holds one thread at most."""
    made = []

    def make(threads, **more):
        made.append(FairThreadPool(threads, FairSemaphore(threads, 1, **more), "test"))
        return made[-1]

    yield make
    for each in made:
        each.close()


class BlockingCall:
    """A function that sets `started` and returns once `proceed` is set."""

    def __init__(self):
        self.started, self.proceed = threading.Event(), threading.Event()

    def __call__(self):
        self.started.set()
        assert self.proceed.wait(10)
        return "done"

    async def wait_until_started(self):
        assert await asyncio.to_thread(self.started.wait, 10)


async def test_a_thread_returns_the_result_or_the_exception(workers):
    threads = workers(1)
    assert await threads.run(A, lambda: 7) == 7
    with pytest.raises(KeyError):
        await threads.run(A, lambda: {}["x"])


async def test_fifty_calls_of_one_customer_leave_a_thread_for_another(workers):
    threads = workers(2)
    calls = [BlockingCall() for _ in range(50)]
    many = [asyncio.create_task(threads.run(A, call)) for call in calls]
    await calls[0].wait_until_started()
    assert await threads.run(B, lambda: "at once") == "at once"
    assert [call.started.is_set() for call in calls].count(True) == 1
    for call in calls:
        call.proceed.set()
    assert await asyncio.gather(*many) == ["done"] * 50


async def test_on_one_thread_the_next_permit_goes_to_another_customer(workers):
    threads = workers(1)
    order, first = [], BlockingCall()
    many = [asyncio.create_task(threads.run(A, first))]
    await first.wait_until_started()
    many += [asyncio.create_task(threads.run(A, lambda at=at: order.append(("a", at)))) for at in range(49)]
    await asyncio.sleep(0)
    other = asyncio.create_task(threads.run(B, lambda: order.append("b")))
    await asyncio.sleep(0)
    first.proceed.set()
    await asyncio.gather(*many, other)
    assert order.index("b") <= 1
    assert [each for each in order if each != "b"] == [("a", at) for at in range(49)]


async def test_a_permit_is_held_until_the_thread_ends_despite_cancellation(workers):
    threads = workers(1)
    call, order = BlockingCall(), []
    cancelled = asyncio.create_task(threads.run(A, call))
    await call.wait_until_started()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    follower = asyncio.create_task(threads.run(B, lambda: order.append("b")))
    await asyncio.sleep(0)
    assert order == []
    call.proceed.set()
    await follower
    assert order == ["b"]


async def test_a_cancelled_waiter_leaves_no_state(workers):
    semaphore = FairSemaphore(1, 1, waiting=1)
    first, second = Group(), Group()
    await semaphore.acquire(first)
    for group in (first, second):
        waiting = asyncio.create_task(semaphore.acquire(group))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    semaphore.release(first)
    await check_unused(semaphore)
    del group, waiting
    first, second = weakref.ref(first), weakref.ref(second)
    assert is_freed(first)
    assert is_freed(second)


async def test_a_full_queue_raises_queue_full(workers):
    threads = workers(1, waiting=2)
    calls = [BlockingCall() for _ in range(3)]
    waiting = [asyncio.create_task(threads.run(group, call)) for group, call in zip((A, A, B), calls, strict=True)]
    await calls[0].wait_until_started()
    with pytest.raises(QueueFull):
        await threads.run(b"c", calls[0])
    for call in calls:
        call.proceed.set()
    await asyncio.gather(*waiting)


async def test_each_group_has_a_queue_limit_of_its_own():
    semaphore = FairSemaphore(1, 1, waiting=3, waiting_each=2)
    await semaphore.acquire(A)
    waiting = [asyncio.create_task(semaphore.acquire(A)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await semaphore.acquire(A)
    waiting.append(asyncio.create_task(semaphore.acquire(B)))
    for group in (A, B, A, A):
        semaphore.release(group)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    await check_unused(semaphore)


async def test_a_refused_waiter_leaves_no_state():
    semaphore = FairSemaphore(1, 1, waiting=1)
    await semaphore.acquire(A)
    waiting = asyncio.create_task(semaphore.acquire(A))
    await asyncio.sleep(0)
    refused = Group()
    with pytest.raises(QueueFull):
        await semaphore.acquire(refused)
    for _ in range(2):
        semaphore.release(A)
        await waiting
    await check_unused(semaphore)
    refused = weakref.ref(refused)
    assert is_freed(refused)


async def test_a_closed_thread_pool_starts_nothing(workers):
    threads = workers(1)
    threads.close()
    with pytest.raises(RuntimeError):
        await threads.run(A, lambda: 7)
    for _ in range(MAX_WAITING + 2):  # none of them stays in the queue, which would be full
        with pytest.raises(RuntimeError):
            await threads.run(A, lambda: 7)


async def test_each_group_holds_a_limited_number_of_permits():
    semaphore = FairSemaphore(4, 2)
    await semaphore.acquire(A)
    await semaphore.acquire(A)
    third = asyncio.create_task(semaphore.acquire(A))
    await asyncio.sleep(0)
    assert not third.done()
    async with asyncio.timeout(1), semaphore.hold(B):
        semaphore.release(A)
        await third
    semaphore.release(A)
    semaphore.release(A)
    async with asyncio.timeout(1), semaphore.hold(A), semaphore.hold(A):
        pass
