import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from relay.domain.portal import PortalAway, PortalRefused
from relay.infra.portal.connection import ERROR_MOST, Heard, Line, Wanted

ORGS = "/v1/mgmts/orgs"
GET = Wanted("지원-002", "GET", ORGS + "?search_timestamp=0")
POST = Wanted("지원-005", "POST", "/v1/mgmts/statistics/provider", json=b"{}")
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"


@asynccontextmanager
async def line_to(settings_for, answer, *, ends="close", **changed):
    """A line to a server that reads a request, writes `answer`, and closes, resets or keeps silent."""
    asked, serving = [], []

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if ends == "silence":
            await reader.read()
        if ends == "reset":
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = Line(settings_for(f"http://127.0.0.1:{port}", **changed), None)
    line.asked = asked
    yield line
    await line.close()
    server.close()
    await asyncio.gather(*serving)


@pytest.mark.parametrize("ends", ["close", "silence"])
async def test_a_whole_answer_is_heard(settings_for, ends):
    async with line_to(settings_for, WHOLE + b"X-Api-Tran-Id: one\r\nx-api-tran-id: two\r\n\r\n{}", ends=ends) as line:
        assert await line.ask(GET, {}) == Heard("", 200, ("one", "two"), "application/json", b"{}")


@pytest.mark.parametrize("wanted", [GET, POST])
@pytest.mark.parametrize(
    ("answer", "ends", "words"),
    [
        (b"", "close", "the connection broke off"),
        (b"", "reset", "the connection broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "close", "the connection broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "close", "the connection broke off within the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "reset", "the connection broke off within the answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
            "close",
            "the connection broke off within the answer",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x28", "close", "the answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "close", "the answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 9000 + b"\r\n\r\n", "close", "the answer is no HTTP"),
        (WHOLE + b"Content-Encoding: gzip\r\n\r\n{}", "close", "the answer is packed, which nobody asked for"),
    ],
)
async def test_half_an_answer_is_none_and_nothing_is_sent_twice(settings_for, wanted, answer, ends, words):
    async with line_to(settings_for, answer, ends=ends) as line:
        heard = await line.ask(wanted, {})
        assert (heard.words, heard.again, heard.content) == (words, True, b"")
        assert len(line.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no answer in time"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "the answer did not end in time"),
    ],
)
async def test_a_slow_portal_is_left(settings_for, answer, words):
    async with line_to(settings_for, answer, ends="silence", total_s=0.1) as line:
        assert (await line.ask(GET, {})).words == words


async def test_a_portal_that_is_not_there_is_told(settings_for, unused_tcp_port):
    line = Line(settings_for(f"http://127.0.0.1:{unused_tcp_port}"), None)
    assert await line.ask(GET, {}) == Heard("no connection", cause="refused")
    await line.close()


@pytest.mark.parametrize(("bytes_", "words"), [(65_536, ""), (65_537, "the answer is longer than 65536 bytes")])
async def test_an_answer_is_read_up_to_its_limit(settings_for, bytes_, words):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"%x\r\n" % bytes_ + b" " * bytes_ + b"\r\n0\r\n\r\n"
    async with line_to(settings_for, answer, answer_bytes=65_536) as line:
        heard = await line.ask(GET, {})
    assert (heard.words, heard.again, len(heard.content)) == (words, not words, 0 if words else bytes_)


async def test_an_answer_that_is_too_long_is_left_at_its_limit_and_not_asked_for_again(portal, client_of):
    async def long(request):
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        with suppress(ConnectionError):
            for _ in range(64):
                await answer.write(b" " * 65_536)
        return answer

    portal.script[ORGS] = [long]
    async with client_of(portal) as client:
        with pytest.raises(PortalAway, match=r"longer than 1048576 bytes \(1 of 4 attempts\)"):
            await client.organisations("0")


async def test_a_long_error_is_left_early(settings_for):
    answer = b"HTTP/1.1 500 No\r\nContent-Length: 99999999\r\n\r\n" + b" " * (ERROR_MOST + 1)
    async with line_to(settings_for, answer, ends="silence") as line:
        heard = await line.ask(GET, {})
    assert (heard.status, heard.words, heard.again) == (500, "the answer is longer than 65536 bytes", True)


async def test_a_stranger_is_not_talked_to(portal, client_of):
    async with client_of(portal, ca="foreign") as client:
        with pytest.raises(PortalAway, match="certificate is not trusted"):
            await client.organisations("0")
    assert portal.heard == []


async def test_the_portal_lets_nobody_in_without_a_certificate(portal, client_of):
    async with client_of(portal, known=False) as client:
        with pytest.raises(PortalAway, match="지원-001: "):
            await client.organisations("0")
    assert portal.heard == []


async def test_redirects_are_not_followed(portal, client_of):
    async def elsewhere(request):
        return portal.json(request, {}, 302, Location="/elsewhere")

    portal.script[ORGS] = [elsewhere] * 4
    async with client_of(portal) as client:
        with pytest.raises(PortalAway, match="HTTP 302"):
            await client.organisations("0")
    assert "/elsewhere" not in portal.paths()


async def test_cookies_are_not_kept_and_proxies_of_the_environment_not_asked(portal, client_of, monkeypatch):
    async def with_cookie(request):
        return portal.json(request, portal.bodies[ORGS], **{"Set-Cookie": "a=b; Path=/"})

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    portal.script[ORGS] = [with_cookie]
    async with client_of(portal) as client:
        await client.organisations("0")
        await client.organisations("0")
    assert all("Cookie" not in request["headers"] for request in portal.heard)


async def test_an_error_of_html_is_refused_without_a_code(portal, client_of):
    async def html(_request):
        return web.Response(text="<html>no</html>", content_type="text/html", status=403)

    portal.script[ORGS] = [html]
    async with client_of(portal) as client:
        with pytest.raises(PortalRefused, match="HTTP 403, rsp_code none"):
            await client.organisations("0")
