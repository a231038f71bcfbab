"""Bounds on interim responses and framing from certifiers, institutions and the portal."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from relay.infra.dns.connector import create_tcp_connector
from relay.infra.http_client.bounded_response import SLICE_BYTES
from relay.wire.chunked import CHUNK_OVERHEAD
from relay.wire.client import MAX_INTERIM_RESPONSES

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def serve(head, endless=b""):
    """Serves each request with `head`, then `endless` until disconnected. Yields session, URL and bytes sent."""
    sent = 0

    async def respond(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        try:
            while endless:
                writer.write(endless)
                sent += len(endless)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession(connector=create_tcp_connector()) as session:
        yield session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", lambda: sent


async def fetch(session, url):
    async with session.get(url) as response:
        return await response.read()


async def test_ten_interim_responses_are_allowed():
    async with serve(INTERIM * MAX_INTERIM_RESPONSES + GOOD) as (session, url, _):
        assert await fetch(session, url) == b"{}"


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (INTERIM * (MAX_INTERIM_RESPONSES + 1) + GOOD, b""),
        (b"", INTERIM * 4000),
        (CHUNKED, b"1\r\na\r\n" * 10_000),
        (CHUNKED + b"1;", b"a" * 60_000),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 10_000),
    ],
    ids=["eleven", "interim responses", "chunks of one byte", "chunk extension", "trailers"],
)
async def test_bytes_beside_the_content_are_bounded(head, endless):
    async with serve(head, endless) as (session, url, sent):
        with pytest.raises(aiohttp.ClientError):
            await fetch(session, url)
    assert sent() < 20_000_000  # buffered by the kernel before the abort


async def test_chunks_with_little_framing_are_unbounded():
    chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    async with serve(CHUNKED + chunk * 200 + b"0\r\n\r\n") as (session, url, _):
        assert len(await fetch(session, url)) == 200 * 4096


async def test_head_and_content_in_one_segment_are_read_in_slices():
    content = b"a" * (CHUNK_OVERHEAD + 3 * SLICE_BYTES + 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    async with serve(head + content) as (session, url, _):
        assert await fetch(session, url) == content
