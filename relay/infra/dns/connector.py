"""aiohttp connector that resolves names through the running loop and uses each connection once."""

import asyncio
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from relay.infra.http_client.bounded_response import BoundedResponseHandler


def create_tcp_connector(**options: Any) -> aiohttp.TCPConnector:
    """Returns a connector that resolves names by `loop.getaddrinfo`, without a cache of its own.

    By default aiohttp would open its own c-ares channel and drop addresses while name servers fail. Each connection
    serves one call, because aiohttp takes data on an idle connection for the response to the next call.
    """
    return _Connector(resolver=aiohttp.ThreadedResolver(), use_dns_cache=False, force_close=True, **options)


class _Connector(aiohttp.TCPConnector):
    """A connector whose connections have the bounds of BoundedResponseHandler."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_create_connection, self._loop)


def _create_connection(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return BoundedResponseHandler(loop)
