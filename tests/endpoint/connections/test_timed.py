"""A connection that exceeds a timeout is closed, with TLS and without."""

import asyncio
import math
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from relay.endpoint.connections.limits import ConnectionLimits, ConnectionTimeouts
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.connections.timed import (
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    TURN_BYTES,
    CallerDisconnected,
    run_while_connected,
)
from relay.endpoint.handlers import SERVER_OPTIONS, build_error_response
from relay.endpoint.serving import open_runner
from relay.policy.settings.scalars import Rate

LONG = 60.0
GET = b"GET /fine HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n"
MANY = 32 * 1024 * 1024
LIMITS = ConnectionLimits(9, 9, Rate(per_second=99, burst=99))


class SampleApplication:
    """An application with endpoints of each kind. `ended` is set when one has ended, `go` lets `/wait` end."""

    def __init__(self):
        self.ended, self.go = asyncio.Event(), asyncio.Event()
        self.started, self.outcome = asyncio.Event(), None

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
            self.started.set()
            await self.go.wait()
            return "worked"

        try:
            self.outcome = await run_while_connected(request, working())
        except CallerDisconnected as error:
            self.outcome = error
        finally:
            self.ended.set()
        return web.Response(text=str(self.outcome))


@pytest.fixture(params=["plain", "tls"])
def serve(request, server_context, client_context):
    """Serves an application with short timeouts where a test sets them."""
    is_tls = request.param == "tls"

    @asynccontextmanager
    async def serving(**timeouts):
        sample = SampleApplication()
        connection_timeouts = ConnectionTimeouts(**{"head_s": LONG, "body_s": LONG, "idle_s": LONG} | timeouts)
        context = server_context if is_tls else None
        async with open_runner(
            sample.application(), build_error_response, timeouts=connection_timeouts, **SERVER_OPTIONS
        ) as runner:
            listening = socket.create_server(("127.0.0.1", 0))
            address = listening.getsockname()
            sample.connect = lambda: asyncio.open_connection(*address, ssl=client_context if is_tls else None)
            await LimitedSite(runner, listening, LIMITS, label="pages", context=context).start()
            yield sample

    return serving


async def drip(reader, writer, data):
    """Sends byte by byte until the server closes. Returns the server's bytes."""
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


async def test_a_silent_connection_is_closed(serve):
    async with serve(head_s=0.2) as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        assert await reader.read() == b""
        writer.close()


async def test_a_head_sent_byte_by_byte_times_out(serve):
    async with serve(head_s=0.4) as sample:
        reader, writer = await sample.connect()
        assert await drip(reader, writer, GET[:-2] + b"X: " + b"x" * 1000) == b""
        writer.close()


async def test_the_head_after_a_response_has_the_same_timeout(serve):
    async with serve(head_s=0.4) as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        writer.write(GET)
        assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 ")
        assert await drip(reader, writer, GET[:-2] + b"X: " + b"x" * 1000) == b""
        writer.close()


async def test_a_body_sent_byte_by_byte_times_out(serve):
    async with serve(body_s=0.4) as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        writer.write(POST)
        assert await drip(reader, writer, b"x" * 999) == b""
        await sample.ended.wait()
        writer.close()


async def test_a_body_after_its_response_times_out(serve):
    async with serve(body_s=0.4) as sample:
        reader, writer = await sample.connect()
        writer.write(POST.replace(b"/read", b"/nowhere"))
        assert b" 404 " in await drip(reader, writer, b"x" * 999)
        writer.close()


async def test_an_unread_response_is_aborted(serve):
    async with serve(body_s=0.4) as sample, asyncio.timeout(10):
        _, writer = await sample.connect()
        writer.transport.pause_reading()
        writer.write(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        await sample.ended.wait()
        writer.transport.abort()


async def test_an_idle_connection_is_closed_after_its_response(serve):
    async with serve(idle_s=0.3) as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        writer.write(GET)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"fine")
        writer.close()


async def test_a_slow_endpoint_is_not_aborted(serve):
    async with serve(head_s=0.2, body_s=0.2, idle_s=0.2) as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(3):  # closed connections show that the timeouts have passed
            silent, other = await sample.connect()
            assert await silent.read() == b""
            other.close()
        sample.go.set()
        assert (await reader.readuntil(b"waited")).startswith(b"HTTP/1.1 200 ")
        writer.close()


CHUNKED = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def send_endlessly(writer, begin, endless):
    writer.write(begin)
    while True:
        writer.write(endless * (MAX_HEAD_BYTES // len(endless)))
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
async def test_bytes_that_are_neither_head_nor_content_are_limited(serve, begin, endless, caplog):
    async with serve() as sample, asyncio.timeout(20):
        _, writer = await sample.connect()
        with pytest.raises(ConnectionError):  # aborted before any timeout
            await send_endlessly(writer, begin, endless)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    assert "reason=framing_exceeded" in caplog.text


async def test_chunks_whose_framing_is_small_are_read(serve):
    content = 3 * MAX_FRAMING_BYTES
    async with serve() as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        for _ in range(2):
            writer.write(CHUNKED + b"8\r\ntwelve..\r\n" * (content // 8) + b"0\r\n\r\n")
            assert (await reader.readuntil(str(content).encode())).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_pipelined_requests_over_many_turns_get_responses(serve):
    many = TURN_BYTES * 4 // len(GET)
    async with serve() as sample, asyncio.timeout(20):
        reader, writer = await sample.connect()
        writer.write(GET * many)
        for _ in range(many):
            assert (await reader.readuntil(b"fine")).startswith(b"HTTP/1.1 200 ")
        writer.close()


class FakeTransport(asyncio.Transport):
    """A transport with `unread` unsent bytes that records how it ends."""

    def __init__(self, unread):
        super().__init__()
        self.unread, self.ends = unread, []

    def get_write_buffer_size(self):
        return self.unread

    def close(self):
        self.ends.append("closed")

    def abort(self):
        self.ends.append("aborted")

    def get_extra_info(self, name, default=None):
        return default


@pytest.mark.parametrize(("unread", "ends"), [(0, ["closed", "aborted"]), (9, ["aborted", "aborted"])])
async def test_a_connection_that_stays_after_close_is_aborted(unread, ends):
    async with open_runner(web.Application(), build_error_response) as runner:
        connection, transport = runner.server(), FakeTransport(unread)
        connection.connection_made(transport)
        await asyncio.sleep(0)  # it starts to wait for a request
        assert math.isfinite(connection.deadline)
        connection.handle_timeout(connection.deadline)
        connection.handle_timeout(connection.deadline)
        assert transport.ends == ends
        connection.connection_lost(None)
        transport.ends.clear()
        connection.handle_timeout(connection.deadline)
        assert transport.ends == []


async def test_work_is_cancelled_when_its_caller_disconnects(serve):
    async with serve() as sample, asyncio.timeout(10):
        _, writer = await sample.connect()
        writer.write(GET.replace(b"/fine", b"/work"))
        await sample.started.wait()
        writer.close()
        await sample.ended.wait()
        assert isinstance(sample.outcome, CallerDisconnected)


async def test_work_for_a_waiting_caller_is_completed(serve):
    async with serve() as sample, asyncio.timeout(10):
        reader, writer = await sample.connect()
        for _ in range(2):
            writer.write(GET.replace(b"/fine", b"/work"))
            sample.go.set()
            assert (await reader.readuntil(b"worked")).startswith(b"HTTP/1.1 200 ")
        writer.close()
