import asyncio
import socket

import pytest

from relay.infra.dns.address_cache import FAILED_S, MAX_TTL_S, MIN_TTL_S, RETRY_S, AddressCache, ResolvedAddresses

ONE, TWO = ResolvedAddresses(("192.0.2.1",), 60), ResolvedAddresses(("192.0.2.2", "192.0.2.3"), 60)
FAILURE = socket.gaierror(socket.EAI_AGAIN, "no answer")


class NameServers:
    """Simulated name servers; `asked` are the look-ups in order. They block while `open` is not set."""

    def __init__(self):
        self.now = 1000.0
        self.asked = []
        self.results = []
        self.cache = AddressCache(self._look_up, lambda: self.now)
        self.open = asyncio.Event()
        self.open.set()

    async def _look_up(self, host):
        self.asked.append(host)
        await self.open.wait()
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def resolve(self, host="bank.test"):
        return await self.cache.resolve(host)

    async def settle(self):
        """Lets a background look-up end."""
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def names():
    return NameServers()


async def test_addresses_are_cached_for_their_ttl(names):
    names.results = [ONE]
    assert await names.resolve() == ONE.addresses
    names.now += 59
    assert await names.resolve() == ONE.addresses
    assert names.asked == ["bank.test"]


async def test_expired_addresses_are_served_during_a_refresh(names):
    names.results = [ONE, TWO]
    await names.resolve()
    names.now += 60
    names.open.clear()
    assert await names.resolve() == ONE.addresses
    assert await names.resolve() == ONE.addresses
    names.open.set()
    await names.settle()
    assert await names.resolve() == TWO.addresses
    assert names.asked == ["bank.test"] * 2


@pytest.mark.parametrize("failure", [FAILURE, TimeoutError(), socket.gaierror(socket.EAI_NONAME, "no such name")])
async def test_addresses_are_kept_while_look_ups_fail(names, failure):
    names.results = [ONE, failure, failure, TWO]
    await names.resolve()
    for _ in range(2):
        names.now += 60
        assert await names.resolve() == ONE.addresses
        await names.settle()
        assert await names.resolve() == ONE.addresses
    names.now += RETRY_S
    await names.resolve()
    await names.settle()
    assert await names.resolve() == TWO.addresses


async def test_a_failed_refresh_is_repeated_after_a_delay(names):
    names.results = [ONE, FAILURE]
    await names.resolve()
    names.now += 60
    await names.resolve()
    await names.settle()
    names.now += RETRY_S - 0.1
    assert await names.resolve() == ONE.addresses
    assert len(names.asked) == 2


async def test_an_unknown_name_raises_the_look_up_error(names):
    names.results = [FAILURE, ONE]
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="no answer"):
            await names.resolve()
    assert len(names.asked) == 1
    names.now += FAILED_S
    assert await names.resolve() == ONE.addresses


async def test_a_name_without_an_address_is_an_error(names):
    names.results = [ResolvedAddresses((), 60)]
    with pytest.raises(socket.gaierror, match="no address"):
        await names.resolve()


async def test_callers_of_one_name_share_a_look_up(names):
    names.results = [ONE]
    names.open.clear()
    calls = [asyncio.create_task(names.resolve()) for _ in range(10)]
    await names.settle()
    calls[0].cancel()
    names.open.set()
    assert await asyncio.gather(*calls[1:]) == [ONE.addresses] * 9
    assert names.asked == ["bank.test"]
    assert calls[0].cancelled()


async def test_a_hanging_name_does_not_delay_others(names):
    names.open.clear()
    hanging = [asyncio.create_task(names.resolve(f"{number}.test")) for number in range(100)]
    await names.settle()
    blocked, names.open = names.open, asyncio.Event()
    names.open.set()
    names.results = [ONE]
    assert await names.resolve() == ONE.addresses
    assert not blocked.is_set()
    for call in hanging:
        call.cancel()


@pytest.mark.parametrize(("ttl", "seconds"), [(0, MIN_TTL_S), (1, MIN_TTL_S), (60, 60), (86400, MAX_TTL_S)])
async def test_a_ttl_is_bounded(names, ttl, seconds):
    names.results = [ResolvedAddresses(("192.0.2.1",), ttl), TWO]
    await names.resolve()
    names.now += seconds - 0.1
    await names.resolve()
    await names.settle()
    assert len(names.asked) == 1
    names.now += 0.1
    await names.resolve()
    await names.settle()
    assert len(names.asked) == 2
