"""A connection that makes its listener wait too long is closed, with TLS and without."""

import asyncio
import math
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from relay.endpoint.connections.limits import ConnectionLimits, ConnectionTimeouts
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.connections.timed import FRAMING_MOST, HEAD_MOST, TURN_BYTES, CallerGone, run_while_connected
from relay.endpoint.handlers import RUNNER, turned_away
from relay.endpoint.serving import served
from relay.policy.settings.scalars import Rate

LONG = 60.0
GET = b"GET /fine HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n"
MANY = 32 * 1024 * 1024
LIMITS = ConnectionLimits(9, 9, Rate(per_second=99, burst=99))


class Around:
    """An application with endpoints of each kind. `ended` is set when one has ended, `go` lets `/wait` end."""

    def __init__(self):
        self.ended, self.go = asyncio.Event(), asyncio.Event()
        self.begun, self.outcome = asyncio.Event(), None

    def application(self):
        app = web.Application()
        app.add_routes([web.get("/fine", self.fine), web.post("/read", self.read)])
        app.add_routes([web.get("/much", self.much), web.get("/wait", self.wait), web.get("/work", self.work)])
        return app

    async def fine(self, _request):
        return web.Response(text="fine")

    async def read(self, request):
        try:
            return web.Response(text=str(len(await request.read())))
        finally:
            self.ended.set()

    async def much(self, request):
        try:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(bytes(MANY))
        finally:
            self.ended.set()
        return response

    async def wait(self, _request):
        await self.go.wait()
        return web.Response(text="waited")

    async def work(self, request):
        async def working():
            self.begun.set()
            await self.go.wait()
            return "worked"

        try:
            self.outcome = await run_while_connected(request, working())
        except CallerGone as gone:
            self.outcome = gone
        finally:
            self.ended.set()
        return web.Response(text=str(self.outcome))


@pytest.fixture(params=["plain", "tls"])
def serve(request, listening_tls, trusting):
    """Serves an application with short time-outs where a test asks for them."""
    is_tls = request.param == "tls"

    @asynccontextmanager
    async def serving(**times):
        around = Around()
        waits = ConnectionTimeouts(**{"head_s": LONG, "body_s": LONG, "idle_s": LONG} | times)
        context = listening_tls if is_tls else None
        async with served(around.application(), turned_away, times=waits, **RUNNER) as runner:
            listening = socket.create_server(("127.0.0.1", 0))
            place = listening.getsockname()
            around.connect = lambda: asyncio.open_connection(*place, ssl=trusting if is_tls else None)
            await LimitedSite(runner, listening, LIMITS, label="pages", context=context).start()
            yield around

    return serving


async def drip(reader, writer, data):
    """Send one byte after the other, as long as the other side listens. Returns what it answered before it closed."""
    answer = b""
    async with asyncio.timeout(10):
        for byte in data:
            writer.write(bytes([byte]))
            try:
                async with asyncio.timeout(0.05):
                    part = await reader.read(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                return answer
            if not part:
                return answer
            answer += part
    raise AssertionError("the connection was not closed")


async def test_a_connection_that_says_nothing_is_closed(serve):
    async with serve(head_s=0.2) as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        assert await reader.read() == b""
        writer.close()


async def test_a_head_that_comes_byte_by_byte_is_closed(serve):
    async with serve(head_s=0.4) as around:
        reader, writer = await around.connect()
        assert await drip(reader, writer, GET[:-2] + b"X: " + b"x" * 1000) == b""
        writer.close()


async def test_the_head_after_an_answer_has_no_more_time(serve):
    async with serve(head_s=0.4) as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        writer.write(GET)
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 ")
        assert await drip(reader, writer, GET[:-2] + b"X: " + b"x" * 1000) == b""
        writer.close()


async def test_a_body_that_comes_byte_by_byte_is_closed(serve):
    async with serve(body_s=0.4) as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        writer.write(POST)
        assert await drip(reader, writer, b"x" * 999) == b""
        await around.ended.wait()
        writer.close()


async def test_a_body_behind_its_answer_has_no_more_time(serve):
    async with serve(body_s=0.4) as around:
        reader, writer = await around.connect()
        writer.write(POST.replace(b"/read", b"/nowhere"))
        assert b" 404 " in await drip(reader, writer, b"x" * 999)
        writer.close()


async def test_an_answer_that_nobody_reads_is_cut_off(serve):
    async with serve(body_s=0.4) as around, asyncio.timeout(10):
        _, writer = await around.connect()
        writer.transport.pause_reading()
        writer.write(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        await around.ended.wait()
        writer.transport.abort()


async def test_an_idle_connection_is_closed_after_its_answer(serve):
    async with serve(idle_s=0.3) as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        writer.write(GET)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"fine")
        writer.close()


async def test_a_slow_endpoint_is_not_cut_off(serve):
    async with serve(head_s=0.2, body_s=0.2, idle_s=0.2) as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(3):  # connections that are closed meanwhile tell that time has passed
            silent, other = await around.connect()
            assert await silent.read() == b""
            other.close()
        around.go.set()
        assert (await reader.readuntil(b"waited")).startswith(b"HTTP/1.1 200 ")
        writer.close()


CHUNKED = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def send_on(writer, begin, endless):
    writer.write(begin)
    while True:
        writer.write(endless * (HEAD_MOST // len(endless)))
        await writer.drain()


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (CHUNKED, b"1\r\na\r\n"),
        (CHUNKED + b"1;", b"extension"),
        (b"", b"\r\n"),
    ],
    ids=["chunks of one byte", "chunk extension", "empty lines"],
)
async def test_bytes_that_are_neither_head_nor_content_have_an_end(serve, begin, endless, caplog):
    async with serve() as around, asyncio.timeout(20):
        _, writer = await around.connect()
        with pytest.raises(ConnectionError):  # the connection is cut while it has time for more
            await send_on(writer, begin, endless)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    assert "reason=framing_exceeded" in caplog.text


async def test_chunks_whose_framing_is_small_are_read(serve):
    content = 3 * FRAMING_MOST
    async with serve() as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        for _ in range(2):
            writer.write(CHUNKED + b"8\r\ntwelve..\r\n" * (content // 8) + b"0\r\n\r\n")
            assert (await reader.readuntil(str(content).encode())).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_requests_that_fill_many_turns_are_all_answered(serve):
    many = TURN_BYTES * 4 // len(GET)
    async with serve() as around, asyncio.timeout(20):
        reader, writer = await around.connect()
        writer.write(GET * many)
        for _ in range(many):
            assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 ")
        writer.close()


class Wire(asyncio.Transport):
    """A transport that holds bytes nobody reads, and notes how it ends."""

    def __init__(self, unread):
        super().__init__()
        self.unread, self.ends = unread, []

    def get_write_buffer_size(self):
        return self.unread

    def close(self):
        self.ends.append("closed")

    def abort(self):
        self.ends.append("cut")

    def get_extra_info(self, name, default=None):
        return default


@pytest.mark.parametrize(("unread", "ends"), [(0, ["closed", "cut"]), (9, ["cut", "cut"])])
async def test_a_closed_connection_that_does_not_leave_is_cut(unread, ends):
    async with served(web.Application(), turned_away) as runner:
        connection, wire = runner.server(), Wire(unread)
        connection.connection_made(wire)
        await asyncio.sleep(0)  # it begins to wait for a request
        assert math.isfinite(connection.deadline)
        connection.overdue(connection.deadline)
        connection.overdue(connection.deadline)
        assert wire.ends == ends
        connection.connection_lost(None)
        wire.ends.clear()
        connection.overdue(connection.deadline)
        assert wire.ends == []


async def test_work_ends_when_its_caller_hangs_up(serve):
    async with serve() as around, asyncio.timeout(10):
        _, writer = await around.connect()
        writer.write(GET.replace(b"/fine", b"/work"))
        await around.begun.wait()
        writer.close()
        await around.ended.wait()
        assert isinstance(around.outcome, CallerGone)


async def test_work_for_a_caller_that_waits_is_answered(serve):
    async with serve() as around, asyncio.timeout(10):
        reader, writer = await around.connect()
        for _ in range(2):
            writer.write(GET.replace(b"/fine", b"/work"))
            around.go.set()
            assert (await reader.readuntil(b"worked")).startswith(b"HTTP/1.1 200 ")
        writer.close()
