"""Frees many objects in small portions."""

import asyncio
from typing import Final

PORTION: Final = 16


async def release_gradually(objects: list[object]) -> None:
    """Empties a list, a portion in each turn of the event loop.

    What is freed at once with its container stops all calls: 200 connection pools with their TLS contexts take 5 ms.
    """
    while objects:
        del objects[-PORTION:]
        await asyncio.sleep(0)
