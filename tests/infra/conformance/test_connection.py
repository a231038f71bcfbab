"""Tests of the connection of the conformance kit: how it reads answers that are no HTTP, late or cut."""

import asyncio

import pytest

from relay.infra.conformance.caller import Pace
from relay.infra.conformance.connection import Address, CallFailed, ConnectFailed, Connection, ConnectionEnded
from relay.policy.settings.scalars import ProviderTimeouts

HEAD = b"HTTP/1.1 200 OK\r\nx-a: b\r\n"
TIMEOUTS = ProviderTimeouts(connect_s=1, first_byte_s=0.1, total_s=0.2)


@pytest.fixture
async def exchange():
    """Returns a function that makes a call to a server which sends some bytes and, if asked to, ends."""
    servers, writers = [], []

    async def call(answer, *, ends=True, pieces=(b"GET / HTTP/1.1\r\n\r\n",), timeouts=TIMEOUTS):
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writers.append(writer)
            if ends:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        connection = await Connection.open(Address(f"http://127.0.0.1:{port}", None, timeouts))
        try:
            return await connection.exchange(pieces)
        finally:
            connection.abort()

    yield call
    for each in (*writers, *servers):
        each.close()
        await each.wait_closed()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\n{}", b"{}"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
async def test_a_whole_answer_is_read(exchange, answer, body):
    received = await exchange(answer)
    assert (received.body, received.status) == (body, int(answer[9:12]))


async def test_interim_responses_are_skipped(exchange):
    received = await exchange(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}")
    assert (received.status, received.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"nonsense\r\n\r\n", "head_malformed"),
        (HEAD, "cut in the head"),
        (HEAD + b"Content-Length: 9\r\n\r\n{}", "cut after 2 of 9 bytes"),
        (HEAD + b"Content-Length: 1\r\n\r\n{}", "bytes after the body"),
        (HEAD + b"\r\n{}", "neither Content-Length nor chunked"),
        (HEAD + b"Content-Length: 99999999\r\n\r\n", "body_too_large"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{", "cut in a chunk"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "body_malformed"),
        (b"HTTP/1.1 200 " + b"a" * 20_000, "head_too_large"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 11 + HEAD + b"\r\n", "interim_answers"),
    ],
)
async def test_broken_http_is_named(exchange, answer, reason):
    with pytest.raises(CallFailed, match=reason) as failure:
        await exchange(answer)
    assert failure.value.rule == "framing"


async def test_an_end_before_the_first_byte_is_named(exchange):
    with pytest.raises(ConnectionEnded):
        await exchange(b"")


@pytest.mark.parametrize(("answer", "rule"), [(b"", "time_first_byte"), (HEAD, "time_total")])
async def test_a_late_answer_is_named(exchange, answer, rule):
    with pytest.raises(CallFailed) as failure:
        await exchange(answer, ends=False)
    assert failure.value.rule == rule


async def test_a_call_may_come_in_pieces(exchange):
    pieces = (b"GET / HTTP/1.1\r\n", b"a: b\r\n", b"\r\n")
    assert (await exchange(HEAD + b"Content-Length: 2\r\n\r\n{}", pieces=pieces)).body == b"{}"


async def test_a_missing_server_is_named():
    with pytest.raises(ConnectFailed) as failure:
        await Connection.open(Address("http://127.0.0.1:1", None, TIMEOUTS))
    assert isinstance(failure.value.__cause__, ConnectionRefusedError)


def test_an_address_has_the_usual_port():
    assert Address("http://bank.example/a", None, TIMEOUTS).port == 80


async def test_calls_begin_at_the_rate():
    loop, pace = asyncio.get_running_loop(), Pace(1000)
    start = loop.time()
    for _ in range(5):
        await pace.wait()
    assert loop.time() - start >= 0.003
