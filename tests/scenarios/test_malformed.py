"""Malformed requests are refused in the standard's format. No byte of them reaches an institution."""

import asyncio
import logging
import time
from itertools import pairwise

import pytest
from fixtures.gateway_environment import BANK
from malformed_relay import Recorder, load_payloads

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD_S = BODY_S = HANDSHAKE_S = 0.3


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    times = {"handshake_s": HANDSHAKE_S, "head_s": HEAD_S, "body_s": BODY_S, "idle_s": 0.6}
    return [Recorder()], {"gateway": {"timeouts": times}}


@pytest.fixture
def bank(env):
    return env.institutions[BANK]


def get_log_times(caplog):
    """Returns the times of log lines about malformed requests. Fails on any error in the log."""
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.WARNING
    ] == []
    return [record.created for record in caplog.records if record.getMessage().startswith("malformed request: ")]


async def test_there_are_payloads_of_every_kind():
    names = [payload.name for payload in load_payloads()]
    assert len(set(names)) == len(names) > 60


@pytest.mark.parametrize("payload", load_payloads(), ids=lambda payload: payload.name)
async def test_a_malformed_request_is_refused_and_not_forwarded(env, bank, caplog, payload):
    good = env.build_fields()
    async with await env.connect() as connection:
        answer = await connection.call(payload.data(good))
        assert (answer.status, answer.rsp_code) == payload.then
        assert list(answer.json()) == ["rsp_code", "rsp_msg"]
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["x-api-tran-id"] == ("" if payload.unread else good["x-api-tran-id"])
        assert answer.headers["connection"] == "close"
        assert await connection.is_closed()
    assert bank.received == b""
    assert (await env.call()).status == 200
    assert bank.received.count(b" HTTP/1.1\r\n") == 1
    assert b"smuggled" not in bank.received
    assert len(get_log_times(caplog)) <= 1


async def test_requests_after_a_malformed_one_are_not_answered(env, bank):
    bad = env.build_get().replace(b"/v1/", b"/v1//", 1)
    async with await env.connect() as connection:
        connection.send(env.build_get() + env.build_post() + bad + env.build_get())
        assert [(await connection.read_answer()).status for _ in range(3)] == [200, 200, 404]
        assert await connection.is_closed()
    assert bank.received.count(b" HTTP/1.1\r\n") == 2


async def test_malformed_requests_are_logged_once_a_second(env, caplog):
    async def refused():
        async with await env.connect() as connection:
            return (await connection.call(b"\r\n\r\n")).status

    started = time.monotonic()
    assert [await refused() for _ in range(10)] == [400] * 10
    lines = get_log_times(caplog)
    assert len(lines) <= 1 + (time.monotonic() - started)
    assert all(later - earlier > 0.99 for earlier, later in pairwise(lines))


async def send_slowly(connection, data, pause=0.02):
    """Sends byte by byte until an answer arrives. Returns (answer, seconds)."""
    started = time.monotonic()
    answer = asyncio.ensure_future(connection.read_answer())
    for byte in data:
        connection.send(bytes([byte]))
        await asyncio.wait({answer}, timeout=pause)
        if answer.done():
            break
    return await answer, time.monotonic() - started


async def test_a_slow_head_is_refused_in_time(env, bank):
    async with await env.connect() as connection:
        answer, took = await send_slowly(connection, env.build_get())
        assert (answer.status, answer.rsp_code) == (400, "40002")
        assert await connection.is_closed()
    assert HEAD_S <= took < 4 * HEAD_S
    assert bank.received == b""


async def test_a_slow_body_is_refused_in_time_with_its_tran_id(env, bank):
    head, body = env.build_post().split(b"\r\n\r\n")
    tran_id = head.partition(b"x-api-tran-id: ")[2][:25].decode()
    async with await env.connect() as connection:
        connection.send(head + b"\r\n\r\n")
        answer, took = await send_slowly(connection, body)
        assert (answer.status, answer.rsp_code) == (400, "40001")
        assert answer.headers["x-api-tran-id"] == tran_id
        assert await connection.is_closed()
    assert BODY_S <= took < 4 * BODY_S
    assert bank.received == b""


async def measure_close(reader, writer, most):
    """Returns the seconds until the relay closes the connection."""
    started = time.monotonic()
    async with asyncio.timeout(most):
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
    return time.monotonic() - started


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"])
async def test_a_missing_handshake_is_closed_in_time(env, sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", env.process.ports[0])
    writer.write(sent)
    assert await measure_close(reader, writer, 4 * HANDSHAKE_S) >= HANDSHAKE_S * 0.9


async def test_a_connection_without_a_request_is_closed_in_time(env):
    connection = await env.connect()
    assert await measure_close(connection.reader, connection.writer, 4 * HEAD_S) >= HEAD_S * 0.5


async def test_an_idle_connection_is_closed_in_time(env):
    connection = await env.connect()
    assert (await connection.call(env.build_get())).status == 200
    assert await measure_close(connection.reader, connection.writer, 2.0) >= 0.5
