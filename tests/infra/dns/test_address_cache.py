import asyncio
import socket

import pytest

from relay.infra.dns.address_cache import FAILED_S, RETRY_S, TTL_LEAST_S, TTL_MOST_S, AddressCache, Answer

ONE, TWO = Answer(("192.0.2.1",), 60), Answer(("192.0.2.2", "192.0.2.3"), 60)
AWAY = socket.gaierror(socket.EAI_AGAIN, "no answer")


class Names:
    """Name servers that answer when told to; `asked` are the look-ups in their order."""

    def __init__(self):
        self.now = 1000.0
        self.asked = []
        self.answers = []
        self.cache = AddressCache(self._look_up, lambda: self.now)
        self.open = asyncio.Event()
        self.open.set()

    async def _look_up(self, host):
        self.asked.append(host)
        await self.open.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def resolve(self, host="bank.test"):
        return await self.cache.resolve(host)

    async def settled(self):
        """Let a look-up in the background end."""
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def names():
    return Names()


async def test_an_answer_is_remembered_for_its_ttl(names):
    names.answers = [ONE]
    assert await names.resolve() == ONE.addresses
    names.now += 59
    assert await names.resolve() == ONE.addresses
    assert names.asked == ["bank.test"]


async def test_an_expired_answer_is_served_while_it_is_refreshed(names):
    names.answers = [ONE, TWO]
    await names.resolve()
    names.now += 60
    names.open.clear()
    assert await names.resolve() == ONE.addresses
    assert await names.resolve() == ONE.addresses
    names.open.set()
    await names.settled()
    assert await names.resolve() == TWO.addresses
    assert names.asked == ["bank.test"] * 2


@pytest.mark.parametrize("failure", [AWAY, TimeoutError(), socket.gaierror(socket.EAI_NONAME, "no such name")])
async def test_addresses_stay_while_the_name_fails(names, failure):
    names.answers = [ONE, failure, failure, TWO]
    await names.resolve()
    for _ in range(2):
        names.now += 60
        assert await names.resolve() == ONE.addresses
        await names.settled()
        assert await names.resolve() == ONE.addresses
    names.now += RETRY_S
    await names.resolve()
    await names.settled()
    assert await names.resolve() == TWO.addresses


async def test_a_failed_refresh_is_not_repeated_at_once(names):
    names.answers = [ONE, AWAY]
    await names.resolve()
    names.now += 60
    await names.resolve()
    await names.settled()
    names.now += RETRY_S - 0.1
    assert await names.resolve() == ONE.addresses
    assert len(names.asked) == 2


async def test_an_unknown_name_raises_what_the_look_up_raised(names):
    names.answers = [AWAY, ONE]
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="no answer"):
            await names.resolve()
    assert len(names.asked) == 1
    names.now += FAILED_S
    assert await names.resolve() == ONE.addresses


async def test_a_name_without_an_address_is_an_error(names):
    names.answers = [Answer((), 60)]
    with pytest.raises(socket.gaierror, match="no address"):
        await names.resolve()


async def test_callers_of_one_name_share_a_look_up(names):
    names.answers = [ONE]
    names.open.clear()
    calls = [asyncio.create_task(names.resolve()) for _ in range(10)]
    await names.settled()
    calls[0].cancel()
    names.open.set()
    assert await asyncio.gather(*calls[1:]) == [ONE.addresses] * 9
    assert names.asked == ["bank.test"]
    assert calls[0].cancelled()


async def test_a_name_that_hangs_delays_no_other(names):
    names.open.clear()
    hanging = [asyncio.create_task(names.resolve(f"{number}.test")) for number in range(100)]
    await names.settled()
    held, names.open = names.open, asyncio.Event()
    names.open.set()
    names.answers = [ONE]
    assert await names.resolve() == ONE.addresses
    assert not held.is_set()
    for call in hanging:
        call.cancel()


@pytest.mark.parametrize(("ttl", "seconds"), [(0, TTL_LEAST_S), (1, TTL_LEAST_S), (60, 60), (86400, TTL_MOST_S)])
async def test_a_ttl_has_bounds(names, ttl, seconds):
    names.answers = [Answer(("192.0.2.1",), ttl), TWO]
    await names.resolve()
    names.now += seconds - 0.1
    await names.resolve()
    await names.settled()
    assert len(names.asked) == 1
    names.now += 0.1
    await names.resolve()
    await names.settled()
    assert len(names.asked) == 2
