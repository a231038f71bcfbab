"""The production event loop with a DNS server for tests."""

import asyncio

import pytest_asyncio

from relay.infra.dns.event_loop import new_event_loop


def pytest_asyncio_loop_factories(config, item):
    return {"relay": new_event_loop}


@pytest_asyncio.fixture
async def names(name_server):
    """The DNS server of the running loop; `bank.test` is this machine."""
    asyncio.get_running_loop().name_servers = (name_server.place,)
    name_server.addresses["bank.test"] = ["127.0.0.1"]
    return name_server


@pytest_asyncio.fixture
async def port():
    """A local port whose server sends one line."""

    async def send_line(_reader, writer):
        writer.write(b"hello\n")
        writer.close()

    async with await asyncio.start_server(send_line, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
