import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from relay.domain.portal import PortalDown, PortalRefused
from relay.infra.portal.connection import MAX_ERROR_BYTES, PortalConnection, PortalRequest, RawResponse

ORGS = "/v1/mgmts/orgs"
GET = PortalRequest("지원-002", "GET", ORGS + "?search_timestamp=0")
POST = PortalRequest("지원-005", "POST", "/v1/mgmts/statistics/provider", json=b"{}")
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"


@asynccontextmanager
async def connect(settings_for, answer, *, ends="close", **changed):
    """Connects to a server that reads a request, writes `answer`, and closes, resets or stays silent."""
    requests, serving = [], []

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        requests.append(await reader.readuntil(b"\r\n\r\n"))
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
    connection = PortalConnection(settings_for(f"http://127.0.0.1:{port}", **changed), None)
    connection.requests = requests
    yield connection
    await connection.close()
    server.close()
    await asyncio.gather(*serving)


@pytest.mark.parametrize("ends", ["close", "silence"])
async def test_a_complete_response_is_returned(settings_for, ends):
    async with connect(
        settings_for, WHOLE + b"X-Api-Tran-Id: one\r\nx-api-tran-id: two\r\n\r\n{}", ends=ends
    ) as connection:
        assert await connection.send(GET, {}) == RawResponse("", 200, ("one", "two"), "application/json", b"{}")


@pytest.mark.parametrize("portal_request", [GET, POST])
@pytest.mark.parametrize(
    ("answer", "ends", "problem"),
    [
        (b"", "close", "the connection was lost"),
        (b"", "reset", "the connection was lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "close", "the connection was lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "close", "the connection was lost within the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "reset", "the connection was lost within the answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
            "close",
            "the connection was lost within the answer",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x28", "close", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "close", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 9000 + b"\r\n\r\n", "close", "the answer is not HTTP"),
        (WHOLE + b"Content-Encoding: gzip\r\n\r\n{}", "close", "the answer is compressed, which was not requested"),
    ],
)
async def test_a_broken_response_is_a_problem_and_not_repeated(settings_for, portal_request, answer, ends, problem):
    async with connect(settings_for, answer, ends=ends) as connection:
        raw = await connection.send(portal_request, {})
        assert (raw.problem, raw.is_retryable, raw.content) == (problem, True, b"")
        assert len(connection.requests) == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "no answer in time"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "the answer did not end in time"),
    ],
)
async def test_a_slow_portal_times_out(settings_for, answer, problem):
    async with connect(settings_for, answer, ends="silence", total_s=0.1) as connection:
        assert (await connection.send(GET, {})).problem == problem


async def test_a_refused_connection_is_a_problem_with_its_cause(settings_for, unused_tcp_port):
    connection = PortalConnection(settings_for(f"http://127.0.0.1:{unused_tcp_port}"), None)
    assert await connection.send(GET, {}) == RawResponse("no connection", cause="refused")
    await connection.close()


@pytest.mark.parametrize(("size", "problem"), [(65_536, ""), (65_537, "the answer is longer than 65536 bytes")])
async def test_a_response_is_read_up_to_its_limit(settings_for, size, problem):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"%x\r\n" % size + b" " * size + b"\r\n0\r\n\r\n"
    async with connect(settings_for, answer, answer_bytes=65_536) as connection:
        raw = await connection.send(GET, {})
    assert (raw.problem, raw.is_retryable, len(raw.content)) == (problem, not problem, 0 if problem else size)


async def test_a_response_over_the_limit_is_not_retried(portal, client_of):
    async def long(request):
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        with suppress(ConnectionError):
            for _ in range(64):
                await answer.write(b" " * 65_536)
        return answer

    portal.script[ORGS] = [long]
    async with client_of(portal) as client:
        with pytest.raises(PortalDown, match=r"longer than 1048576 bytes \(1 of 4 attempts\)"):
            await client.organisations("0")


async def test_a_long_error_is_cut_early(settings_for):
    answer = b"HTTP/1.1 500 No\r\nContent-Length: 99999999\r\n\r\n" + b" " * (MAX_ERROR_BYTES + 1)
    async with connect(settings_for, answer, ends="silence") as connection:
        raw = await connection.send(GET, {})
    assert (raw.status, raw.problem, raw.is_retryable) == (500, "the answer is longer than 65536 bytes", True)


async def test_an_untrusted_portal_receives_no_request(portal, client_of):
    async with client_of(portal, ca="other_ca") as client:
        with pytest.raises(PortalDown, match="certificate is not trusted"):
            await client.organisations("0")
    assert portal.requests == []


async def test_a_missing_client_certificate_is_refused(portal, client_of):
    async with client_of(portal, has_certificate=False) as client:
        with pytest.raises(PortalDown, match="지원-001: "):
            await client.organisations("0")
    assert portal.requests == []


async def test_redirects_are_not_followed(portal, client_of):
    async def elsewhere(request):
        return portal.json(request, {}, 302, Location="/elsewhere")

    portal.script[ORGS] = [elsewhere] * 4
    async with client_of(portal) as client:
        with pytest.raises(PortalDown, match="HTTP 302"):
            await client.organisations("0")
    assert "/elsewhere" not in portal.paths()


async def test_cookies_and_environment_proxies_are_ignored(portal, client_of, monkeypatch):
    async def with_cookie(request):
        return portal.json(request, portal.bodies[ORGS], **{"Set-Cookie": "a=b; Path=/"})

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    portal.script[ORGS] = [with_cookie]
    async with client_of(portal) as client:
        await client.organisations("0")
        await client.organisations("0")
    assert all("Cookie" not in request["headers"] for request in portal.requests)


async def test_an_html_error_is_a_refusal_without_code(portal, client_of):
    async def html(_request):
        return web.Response(text="<html>no</html>", content_type="text/html", status=403)

    portal.script[ORGS] = [html]
    async with client_of(portal) as client:
        with pytest.raises(PortalRefused, match="HTTP 403, rsp_code none"):
            await client.organisations("0")
