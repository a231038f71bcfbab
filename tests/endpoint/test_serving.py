"""All error responses on a socket are our own: they repeat no input and name no software."""

import asyncio
import logging

import pytest
from aiohttp import web

from relay.endpoint import handlers
from relay.endpoint.handlers import SERVER_OPTIONS
from relay.endpoint.serving import open_runner
from relay.oauth.pages import application as pages

PROBE = "Tell-Me-Again"
ERROR_RESPONSES = {
    "application/json; charset=UTF-8": handlers.build_error_response,
    "text/html; charset=utf-8": pages.build_error_response,
}


async def fine(request):
    return web.Response(text="fine")


async def fail(request):
    raise RuntimeError(PROBE)


async def fail_midway(request):
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise RuntimeError(PROBE)


@pytest.fixture(params=ERROR_RESPONSES)
async def send(request):
    """Sends bytes on a new connection, after a `first` call. Returns all bytes until the server disconnects."""
    app = web.Application()
    app.add_routes([web.get("/fine", fine), web.get("/broken", fail), web.get("/midway", fail_midway)])
    async with open_runner(app, ERROR_RESPONSES[request.param], **SERVER_OPTIONS) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()

        async def send_raw(raw, first=b""):
            reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
            async with asyncio.timeout(10):
                if first:
                    writer.write(first)
                    await reader.readuntil(b"fine")
                writer.write(raw)
                response = (await reader.read()).decode()
            writer.close()
            await writer.wait_closed()
            return response

        send_raw.type = request.param
        yield send_raw


def assert_own_response(response, status, of_type):
    head, _, body = response.partition("\r\n\r\n")
    assert head[9:13] == f"{status} "
    assert {f"Content-Type: {of_type}", "Server: relay", "Cache-Control: no-store"} <= set(head.split("\r\n"))
    assert body
    assert not [word for word in (PROBE, PROBE.lower(), "aiohttp", "Python", "Traceback") if word in response]


@pytest.mark.parametrize(
    "raw",
    [
        f"{PROBE}\r\n\r\n",
        f"{PROBE} / HTTP/1.1\r\n\r\n",
        f"GET /{PROBE} HTTP/9.9\r\n\r\n",
        f"GET /fine HTTP/1.1 {PROBE}\r\n\r\n",
        f"GET /fine HTTP/1.1\r\n{PROBE}\r\n\r\n",
        f"GET /fine HTTP/1.1\r\nHost: a\r\nX: {PROBE}\0\r\n\r\n",
        f"GET /fine HTTP/1.1\r\nHost: a\r\nX: {PROBE * 6000}\r\n\r\n",
        f"GET /fine HTTP/1.1\r\nHost: a\r\nContent-Length: {PROBE}\r\n\r\n",
        f"PRI * HTTP/2.0\r\n\r\n{PROBE}\r\n\r\n",
        f"\x16\x03\x01\x02{PROBE}\r\n\r\n",
    ],
    ids=range(10),
)
async def test_malformed_http_gets_our_response_and_is_closed(send, raw, caplog):
    with caplog.at_level(logging.INFO):
        assert_own_response(await send(raw.encode()), 400, send.type)
    assert caplog.messages == []


async def test_malformed_http_after_a_valid_call_is_refused_too(send):
    assert_own_response(
        await send(f"{PROBE}\r\n\r\n".encode(), first=b"GET /fine HTTP/1.1\r\nHost: a\r\n\r\n"), 400, send.type
    )


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        (f"GET /{PROBE} HTTP/1.1\r\n", {404}),
        (f"POST /fine?{PROBE} HTTP/1.1\r\n", {405, 400}),
        (f"GET /fine HTTP/1.1\r\nExpect: {PROBE}\r\n", {417, 400}),
    ],
    ids=["path", "method", "expect"],
)
async def test_a_request_without_an_endpoint_gets_our_response(send, head, statuses):
    response = await send(f"{head}Host: a\r\nConnection: close\r\n\r\n".encode())
    status = int(response.split(" ")[1])
    assert status in statuses
    assert_own_response(response, status, send.type)


async def test_an_exception_is_logged_by_type_only(send, caplog):
    assert_own_response(await send(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n"), 500, send.type)
    assert caplog.messages == ["connection closed by an error: status=500 error=RuntimeError"]
    assert PROBE not in caplog.text


async def test_a_failed_response_is_aborted(send, caplog):
    response = await send(b"GET /midway HTTP/1.1\r\nHost: a\r\n\r\n")
    assert response.startswith("HTTP/1.1 200 ")
    assert response.endswith("half\r\n")
    assert PROBE not in caplog.text


async def test_after_the_block_connections_are_refused():
    app = web.Application()
    ended = []
    app.on_cleanup.append(lambda app: asyncio.sleep(0, ended.append(app)))
    async with open_runner(app, handlers.build_error_response) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        _, writer = await asyncio.open_connection(host, port)
    assert ended == [app]
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(host, port)
    writer.close()


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_call_is_cancelled_with_its_connection_on_request(cancels):
    started, ended, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    outcomes = []

    async def waits(_request):
        started.set()
        try:
            await go.wait()
            outcomes.append("done")
        except asyncio.CancelledError:
            outcomes.append("cancelled")
            raise
        finally:
            ended.set()
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/", waits)])
    async with (
        open_runner(app, handlers.build_error_response, cancels=cancels, **SERVER_OPTIONS) as runner,
        asyncio.timeout(10),
    ):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await started.wait()
        writer.close()
        await writer.wait_closed()
        if not cancels:
            go.set()
        await ended.wait()
    assert outcomes == ["cancelled" if cancels else "done"]
