"""List calls are shared by equal requests, limited by institution, and cancelled with their last waiter."""

import asyncio

import pytest

from relay.domain.institution import InstitutionError
from relay.infra.institutions.shared_lists import ListKey, SharedLists

KEY = ListKey("ZBAA000001", "ci", "service")


class Lists:
    """Calls that wait until `go` is set. `started`, `most` and `cancelled` count them."""

    def __init__(self):
        self.go, self.changed = asyncio.Event(), asyncio.Condition()
        self.started = self.running = self.most = self.cancelled = 0

    async def __call__(self):
        self.started += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await self.notify()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            await self.notify()
        return ["list"]

    async def notify(self):
        async with self.changed:
            self.changed.notify_all()

    async def wait_for(self, condition):
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: condition(self))


@pytest.fixture
def lists():
    return Lists()


async def test_callers_with_the_same_key_share_one_call(lists):
    shared = SharedLists(60.0)
    requests = [asyncio.create_task(shared.get(KEY, lists)) for _ in range(50)]
    await lists.wait_for(lambda calls: calls.started)
    lists.go.set()
    assert await asyncio.gather(*requests) == [["list"]] * 50
    assert lists.started == 1
    await shared.get(KEY, lists)
    assert lists.started == 2


async def test_a_call_runs_until_its_last_waiter_is_cancelled(lists):
    shared = SharedLists(60.0)
    first, second = (asyncio.create_task(shared.get(KEY, lists)) for _ in range(2))
    await lists.wait_for(lambda calls: calls.started)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert lists.cancelled == 0
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await lists.wait_for(lambda calls: calls.cancelled == 1)
    lists.go.set()
    assert await shared.get(KEY, lists) == ["list"]


async def test_the_limit_of_an_institution_does_not_affect_others(lists):
    shared = SharedLists(60.0, concurrency=2, queue_length=3)
    keys = [KEY._replace(ci=str(number)) for number in range(6)]
    requests = [asyncio.create_task(shared.get(key, lists)) for key in keys]
    await lists.wait_for(lambda calls: calls.started == 2)
    with pytest.raises(InstitutionError, match="lists: too many concurrent requests"):
        await requests[-1]
    other = asyncio.create_task(shared.get(KEY._replace(org_code="ZBAA000002"), lists))
    await lists.wait_for(lambda calls: calls.started == 3)
    lists.go.set()
    assert await asyncio.gather(other, *requests[:-1]) == [["list"]] * 6
    assert lists.most == 3


async def test_the_timeout_includes_the_wait_in_the_queue(lists):
    shared = SharedLists(0.05, concurrency=1)
    for request in [asyncio.create_task(shared.get(KEY._replace(ci=str(number)), lists)) for number in range(2)]:
        with pytest.raises(InstitutionError, match="lists: timed out"):
            await request
    assert lists.started == 1


async def test_an_error_is_raised_for_every_waiter():
    async def fail():
        raise InstitutionError("lists: no success")

    shared = SharedLists(60.0)
    requests = await asyncio.gather(*(shared.get(KEY, fail) for _ in range(3)), return_exceptions=True)
    assert [str(request) for request in requests] == ["lists: no success"] * 3


async def test_close_cancels_running_calls(lists):
    shared = SharedLists(60.0)
    request = asyncio.create_task(shared.get(KEY, lists))
    await lists.wait_for(lambda calls: calls.started)
    await shared.close()
    with pytest.raises(InstitutionError, match="lists: cancelled by new settings"):
        await request
