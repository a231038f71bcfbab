"""Waiting for what must come, never for time to pass."""

import asyncio
import socket

PATIENCE_S = 5.0


async def until(reached, what="the condition", patience=PATIENCE_S):
    """Wait until `reached()` is true; fail when it is not within `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            while not (found := reached()):  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true in {patience} s") from None
    return found


def narrow(transport):
    """Let the kernel hold little of what this transport writes."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
