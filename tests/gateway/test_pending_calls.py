import asyncio
import gc
import weakref

import pytest

from relay.gateway.pending_calls import PendingCall, PendingCalls


class Call:
    """A pending call. Setting `fetched` completes the fetch; `events` holds what was called."""

    def __init__(self):
        self.fetched, self.events = asyncio.Event(), []
        self.pending, self.pending_calls = PendingCall(lambda: self.events.append("closed")), PendingCalls()
        self.pending_calls.add(self._fetch(), self.pending, lambda: self.events.append("resumed"))

    async def _fetch(self):
        await self.fetched.wait()

    async def wait(self):
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


@pytest.mark.parametrize("disconnects", [False, True])
async def test_a_call_resumes_unless_its_operator_disconnected(disconnects):
    call = Call()
    if disconnects:
        call.pending.peer_disconnected()
    call.fetched.set()
    await call.wait()
    assert call.events == (["closed"] if disconnects else ["resumed"])


async def test_a_slow_reader_does_not_affect_a_pending_call():
    call = Call()
    call.pending.pause()
    call.pending.resume()
    assert (call.events, call.pending.is_cancelled) == ([], False)
    call.fetched.set()
    await call.wait()


async def test_a_task_is_held_until_it_ends():
    events, pending_calls = [], PendingCalls()

    def start():
        """Starts a call that only its task refers to. Returns a weak reference to what it waits for."""
        future = asyncio.get_running_loop().create_future()
        pending_calls.add(future, PendingCall(lambda: None), lambda: events.append("resumed"))
        return weakref.ref(future)

    fetched = start()
    await asyncio.sleep(0)
    gc.collect()
    fetched().set_result(None)
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    await asyncio.sleep(0)
    gc.collect()
    assert (events, fetched()) == (["resumed"], None)
