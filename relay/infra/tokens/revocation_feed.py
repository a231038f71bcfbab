"""Revocation feed of the authority on the same machine: a gateway learns of revocations before its next poll."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.policy.call.oauth_envelope import REVOCATIONS_PATH

RETRY_S: Final = 1.0
"""Delay before reconnecting after the authority closed the connection."""

_REQUEST: Final = b"GET %b HTTP/1.1\r\nHost: authority\r\n\r\n" % REVOCATIONS_PATH.encode()
_READ_BYTES: Final = 65_536


async def follow_revocations(socket: str, on_change: Callable[[], None]) -> None:
    """Calls `on_change` for each byte from the authority at this unix socket; reconnects until cancelled.

    Content is ignored: any byte, and the end of the connection, mean that the ledger may have changed.
    """
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
        except OSError:
            await asyncio.sleep(RETRY_S)
            continue
        try:
            writer.write(_REQUEST)
            while await reader.read(_READ_BYTES):
                on_change()
        except OSError:
            pass
        finally:
            writer.close()
        on_change()
        await asyncio.sleep(RETRY_S)
