"""Listens to the authority beside a gateway: it says when something was revoked, before the ledger is polled again."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.policy.call.oauth_envelope import REVOCATIONS_PATH

RETRY_S: Final = 1.0
"""So long after the authority hung up it is called again."""

_REQUEST: Final = b"GET %b HTTP/1.1\r\nHost: authority\r\n\r\n" % REVOCATIONS_PATH.encode()
_MOST: Final = 65_536


async def follow_authority(socket: str, hurry: Callable[[], None]) -> None:
    """Call `hurry` at each sign of the authority at this unix socket, until cancelled; connect again when it ends.

    What is received is not read: each byte means that the ledger may have changed, and so does the end.
    """
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
        except OSError:
            await asyncio.sleep(RETRY_S)
            continue
        try:
            writer.write(_REQUEST)
            while await reader.read(_MOST):
                hurry()
        except OSError:
            pass
        finally:
            writer.close()
        hurry()
        await asyncio.sleep(RETRY_S)
