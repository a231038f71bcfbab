"""A call that waits for the ledger goes on once, or not at all."""

import asyncio

import pytest

from relay.gateway.waiting import PendingCall, PendingCalls


class Call:
    """A call that waits; `spoken` lets the ledger answer."""

    def __init__(self):
        self.spoken, self.told = asyncio.Event(), []
        self.waiting, self.waits = PendingCall(lambda: self.told.append("gone")), PendingCalls()
        self.waits.begin(self._fetched(), self.waiting, lambda: self.told.append("on"))

    async def _fetched(self):
        await self.spoken.wait()

    async def response_ended(self):
        await asyncio.gather(*self.waits._tasks)


@pytest.mark.parametrize("left", [False, True])
async def test_a_call_goes_on_unless_its_operator_left(left):
    call = Call()
    if left:
        call.waiting.peer_disconnected()
    call.spoken.set()
    await call.response_ended()
    assert call.told == (["gone"] if left else ["on"])


async def test_a_slow_reader_means_nothing_while_nothing_is_sent():
    call = Call()
    call.waiting.pause()
    call.waiting.resume()
    assert (call.told, call.waiting.left) == ([], False)
    call.spoken.set()
    await call.response_ended()


async def test_what_waits_is_held_until_it_ends_and_no_longer():
    call = Call()
    assert len(call.waits._tasks) == 1
    call.spoken.set()
    await call.response_ended()
    await asyncio.sleep(0)
    assert call.waits._tasks == set()
