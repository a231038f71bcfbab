"""aiohttp's connections: names resolved by the running loop, one call for each connection."""

import asyncio
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from relay.infra.http_client.bounded_answer import BoundedAnswer


def tcp_connector(**options: Any) -> aiohttp.TCPConnector:
    """A connector that asks `loop.getaddrinfo`, as everything else of the process does, and remembers nothing itself.

    Without a resolver aiohttp would open a c-ares channel of its own and forget addresses while name servers fail.
    A connection carries one call: aiohttp takes what comes on an idle one for the answer to the next call.
    """
    return _Connector(resolver=aiohttp.ThreadedResolver(), use_dns_cache=False, force_close=True, **options)


class _Connector(aiohttp.TCPConnector):
    """Connections whose peers are bounded in what they send beside an answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_connection, self._loop)


def _connection(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return BoundedAnswer(loop)
