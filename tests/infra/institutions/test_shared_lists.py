"""List calls are shared by who asks for the same, bounded at an institution, and cancelled with their last caller."""

import asyncio

import pytest

from relay.domain.institution import DeskFault
from relay.infra.institutions.shared_lists import ListKey, SharedLists

KEY = ListKey("ZBAA000001", "ci", "service")


class Lists:
    """Calls that wait until `go` is set; `begun`, `most` and `cancelled` count them."""

    def __init__(self):
        self.go, self.changed = asyncio.Event(), asyncio.Condition()
        self.begun = self.running = self.most = self.cancelled = 0

    async def __call__(self):
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await self.tell()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            await self.tell()
        return ["list"]

    async def tell(self):
        async with self.changed:
            self.changed.notify_all()

    async def until(self, fits):
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: fits(self))


@pytest.fixture
def lists():
    return Lists()


async def test_callers_with_the_same_key_share_one_call(lists):
    shared = SharedLists(60.0)
    looks = [asyncio.create_task(shared.get(KEY, lists)) for _ in range(50)]
    await lists.until(lambda it: it.begun)
    lists.go.set()
    assert await asyncio.gather(*looks) == [["list"]] * 50
    assert lists.begun == 1
    await shared.get(KEY, lists)
    assert lists.begun == 2


async def test_a_call_goes_on_until_its_last_caller_has_gone(lists):
    shared = SharedLists(60.0)
    first, second = (asyncio.create_task(shared.get(KEY, lists)) for _ in range(2))
    await lists.until(lambda it: it.begun)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert lists.cancelled == 0
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await lists.until(lambda it: it.cancelled == 1)
    lists.go.set()
    assert await shared.get(KEY, lists) == ["list"]


async def test_an_institution_has_so_many_calls_and_others_go_on(lists):
    shared = SharedLists(60.0, at_once=2, waiting=3)
    keys = [KEY._replace(ci=str(number)) for number in range(6)]
    looks = [asyncio.create_task(shared.get(key, lists)) for key in keys]
    await lists.until(lambda it: it.begun == 2)
    with pytest.raises(DeskFault, match="lists: too many are asked for at once"):
        await looks[-1]
    other = asyncio.create_task(shared.get(KEY._replace(org_code="ZBAA000002"), lists))
    await lists.until(lambda it: it.begun == 3)
    lists.go.set()
    assert await asyncio.gather(other, *looks[:-1]) == [["list"]] * 6
    assert lists.most == 3


async def test_the_wait_for_a_place_counts_too(lists):
    shared = SharedLists(0.05, at_once=1)
    for look in [asyncio.create_task(shared.get(KEY._replace(ci=str(number)), lists)) for number in range(2)]:
        with pytest.raises(DeskFault, match="lists: took too long"):
            await look
    assert lists.begun == 1


async def test_a_fault_is_every_callers():
    async def fail():
        raise DeskFault("lists: no success")

    shared = SharedLists(60.0)
    looks = await asyncio.gather(*(shared.get(KEY, fail) for _ in range(3)), return_exceptions=True)
    assert [str(look) for look in looks] == ["lists: no success"] * 3


async def test_closing_ends_what_is_under_way(lists):
    shared = SharedLists(60.0)
    look = asyncio.create_task(shared.get(KEY, lists))
    await lists.until(lambda it: it.begun)
    await shared.close()
    with pytest.raises(DeskFault, match="lists: ended by new settings"):
        await look
