"""The servers of a core: requests as they are written, bounds of time and memory, and refusals."""

import asyncio

import pytest
from fixtures.waiting import until

from relay.domain.fault import Refusal
from relay.infra.json_apis.servers import JsonServers, ServerLimits
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.json_api.requests import JsonRequest
from relay.policy.settings.scalars import ProviderTimeouts

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class HandServer:
    """Answers each request with the next of `answers`; None leaves it without response."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if self.answers else OK
                if answer is not None:
                    writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.fixture
async def server():
    """A server on a loopback port, and the JsonServers that use it."""
    hand = HandServer()
    listener = await asyncio.start_server(hand.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    timeouts = ProviderTimeouts(connect_s=1, queue_s=1, first_byte_s=5, total_s=5, idle_s=5)
    limits = ServerLimits(2, 1, 100_000)
    hand.servers = JsonServers(
        "ZISC000001", (f"http://127.0.0.1:{port}/base",), None, timeouts, limits, 1_800_000_000.0
    )
    hand.servers.start()
    hand.listener, hand.port = listener, port
    yield hand
    await hand.servers.close()
    for writer in hand.writers:
        writer.transport.abort()
    listener.close()


def build(number):
    return JsonRequest("POST", "/a?b=1", (("X-No", number), ("Content-Type", "application/json")), b"{}")


def deadline(seconds=5.0):
    return asyncio.get_running_loop().time() + seconds


async def exchange(server, seconds=5.0):
    return await server.servers.exchange(build, deadline(seconds))


async def test_a_request_is_written_for_its_server(server):
    response = await exchange(server)
    assert (response.status, response.body, response.content_type) == (200, b"{}", "application/json")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert (lines[0], lines[1], body) == ("POST /base/a?b=1 HTTP/1.1", f"Host: 127.0.0.1:{server.port}", b"{}")
    assert {"Accept: application/json", "Accept-Encoding: identity", "Content-Length: 2"} <= set(lines)
    number = next(line for line in lines if line.startswith("X-No"))
    assert len(number.removeprefix("X-No: ")) == 12


async def test_files_may_replace_default_headers(server):
    def build_other(number):
        return JsonRequest("POST", "/a", (("Accept", "application/vnd.core+json"),), b"")

    await server.servers.exchange(build_other, deadline())
    lines = server.requests[0].decode().split("\r\n")
    assert [line for line in lines if line.startswith("Accept:")] == ["Accept: application/vnd.core+json"]
    assert "Content-Length: 0" in lines


async def test_unique_numbers_differ_and_connections_are_reused(server):
    for _ in range(5):
        await exchange(server)
    assert len({request.partition(b"X-No: ")[2][:12] for request in server.requests}) == 5
    assert len(server.writers) == server.servers.open_lines < 3


async def test_a_large_response_is_read_whole(server):
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90_000]
    response = await exchange(server)
    assert (len(response.body), response.is_too_long) == (90_000, False)


@pytest.mark.parametrize("head", [b"Content-Length: 900000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n40000\r\n"])
async def test_a_response_too_long_is_not_read_to_its_end(server, head):
    server.answers = [b"HTTP/1.1 200 OK\r\n" + head + b"x" * 0x30000]
    response = await exchange(server)
    assert (response.is_too_long, response.body) == (True, b"")
    assert (await exchange(server)).status == 200
    assert len(server.writers) == 2


async def test_no_response_until_the_deadline_is_silence(server):
    server.answers = [None]
    with pytest.raises(Refusal) as caught:
        await exchange(server, 0.2)
    assert caught.value.fault.name == "provider_silent"
    assert (await exchange(server)).status == 200


async def test_more_requests_than_places_are_refused(server):
    server.answers = [None] * 2
    running = [asyncio.create_task(exchange(server)) for _ in range(3)]
    await until(lambda: len(server.requests) == 2, "2 requests")
    with pytest.raises(Refusal) as caught:
        await exchange(server)
    assert caught.value.fault.rsp_code == "50005"
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert (await exchange(server)).status == 200


async def test_a_server_that_is_away_is_refused(server):
    timeouts = ProviderTimeouts(connect_s=1, queue_s=1, first_byte_s=5, total_s=5, idle_s=5)
    away = JsonServers("ZISC000001", ("http://127.0.0.1:1",), None, timeouts, ServerLimits(2, 1, 1024), 1.0)
    away.start()
    with pytest.raises(Refusal) as caught:
        await away.exchange(build, deadline())
    assert caught.value.fault.name == "connect_refused"
    await away.close()


async def test_a_request_that_cannot_be_built_is_not_sent(server):
    def fail(number):
        raise ConversionError("t", -1, "x", "y")

    with pytest.raises(ConversionError):
        await server.servers.exchange(fail, deadline())
    assert server.requests == []


async def test_retired_servers_complete_their_calls(server):
    server.answers = [None]
    call = asyncio.create_task(exchange(server))
    await until(lambda: server.requests, "a request")
    server.servers.retire()
    server.writers[0].write(OK)
    assert (await call).status == 200
    await until(lambda: not server.servers.open_lines, "no connection")
