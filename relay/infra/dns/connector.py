"""aiohttp's connections with names resolved by the running loop."""

from typing import Any

import aiohttp


def tcp_connector(**options: Any) -> aiohttp.TCPConnector:
    """A connector that asks `loop.getaddrinfo`, as everything else of the process does, and remembers nothing itself.

    Without a resolver aiohttp would open a c-ares channel of its own and forget addresses while name servers fail.
    """
    return aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), use_dns_cache=False, **options)
