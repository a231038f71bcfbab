import asyncio
from collections import deque

import pytest
from uvloop_floor import Caller

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"


@pytest.fixture
async def institution():
    connections = []

    async def answer(reader, writer):
        connections.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(HEAD + b"abc")
            await writer.drain()
            writer.write(b"def")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], connections
    server.close()
    for writer in connections:
        writer.close()


@pytest.fixture
async def floor(institution):
    idle = deque()
    server = await asyncio.get_running_loop().create_server(lambda: Caller(institution[0], idle), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], idle
    server.close()
    for upstream in idle:
        upstream.transport.abort()


async def test_bytes_pass_both_ways_and_connections_are_reused(institution, floor):
    port, idle = floor
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.readexactly(len(HEAD) + 6) == HEAD + b"abcdef"
    assert len(institution[1]) == len(idle) == 1
    writer.close()


async def test_two_callers_at_once_have_two_connections(institution, floor):
    port, idle = floor
    callers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for _, writer in callers:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
    for reader, writer in callers:
        assert await reader.readexactly(len(HEAD) + 6) == HEAD + b"abcdef"
        writer.close()
    assert len(institution[1]) == len(idle) == 2
