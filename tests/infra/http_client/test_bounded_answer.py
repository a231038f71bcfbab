"""What a peer may send beside an answer's content: certifiers, institutions' logins and lists, the portal."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from relay.infra.dns.connector import tcp_connector
from relay.infra.http_client.bounded_answer import SLICE_BYTES
from relay.wire.chunked import CHUNK_OVERHEAD
from relay.wire.client import INTERIM_MOST

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def answered_by(head, endless=b""):
    """The URL of a server that answers each request by `head`, then by `endless` until it is hung up."""
    sent = 0

    async def answer(reader, writer):
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

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession(connector=tcp_connector()) as session:
        yield session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", lambda: sent


async def content_of(session, url):
    async with session.get(url) as answer:
        return await answer.read()


async def test_an_answer_may_have_ten_interim_answers():
    async with answered_by(INTERIM * INTERIM_MOST + GOOD) as (session, url, _):
        assert await content_of(session, url) == b"{}"


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (INTERIM * (INTERIM_MOST + 1) + GOOD, b""),
        (b"", INTERIM * 4000),
        (CHUNKED, b"1\r\na\r\n" * 10_000),
        (CHUNKED + b"1;", b"a" * 60_000),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 10_000),
    ],
    ids=["eleven", "interim answers", "chunks of one byte", "chunk extension", "trailers"],
)
async def test_what_stands_beside_the_content_has_an_end(head, endless):
    async with answered_by(head, endless) as (session, url, sent):
        with pytest.raises(aiohttp.ClientError):
            await content_of(session, url)
    assert sent() < 20_000_000  # what the kernel took before it was cut


async def test_chunks_whose_framing_is_small_have_no_bound():
    chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    async with answered_by(CHUNKED + chunk * 200 + b"0\r\n\r\n") as (session, url, _):
        assert len(await content_of(session, url)) == 200 * 4096


async def test_a_head_and_content_in_one_segment_are_read_slice_by_slice():
    content = b"a" * (CHUNK_OVERHEAD + 3 * SLICE_BYTES + 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    async with answered_by(head + content) as (session, url, _):
        assert await content_of(session, url) == content
