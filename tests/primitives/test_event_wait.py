"""A wait ends with its event or its timeout."""

import asyncio

import pytest

from relay.primitives.event_wait import wait_for_event


async def test_a_set_event_ends_the_wait_at_once():
    event = asyncio.Event()
    event.set()
    assert await wait_for_event(event, 0) is True


async def test_a_timeout_ends_the_wait():
    assert await wait_for_event(asyncio.Event(), 0.001) is False


async def test_an_event_ends_the_wait_before_its_timeout():
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    async with asyncio.timeout(10):
        assert await wait_for_event(event, 1000) is True


async def test_a_cancelled_wait_is_cancelled():
    waiting = asyncio.ensure_future(wait_for_event(asyncio.Event(), 1000))
    asyncio.get_running_loop().call_soon(waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting
