"""Waits for an event or a timeout, whichever comes first."""

import asyncio
import contextlib


async def wait_for_event(event: asyncio.Event, timeout_s: float) -> bool:
    """Waits until `event` is set, at most `timeout_s` seconds. Returns whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
    return event.is_set()
