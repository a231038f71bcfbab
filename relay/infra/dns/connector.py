"""aiohttp's connections: names resolved by the running loop, one call for each connection."""

from typing import Any

import aiohttp


def tcp_connector(**options: Any) -> aiohttp.TCPConnector:
    """A connector that asks `loop.getaddrinfo`, as everything else of the process does, and remembers nothing itself.

    Without a resolver aiohttp would open a c-ares channel of its own and forget addresses while name servers fail.
    A connection carries one call: aiohttp takes what comes on an idle one for the answer to the next call.
    """
    return aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), use_dns_cache=False, force_close=True, **options)
