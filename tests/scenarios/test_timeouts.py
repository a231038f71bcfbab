"""Timeouts of callers: silent, idle, in an unfinished handshake, not reading."""

import asyncio

import pytest
from fixtures.caller import Connection
from fixtures.gateway_environment import BANK, SHORT_TIMEOUTS
from fixtures.institution import Institution, build_response
from fixtures.waiting import limit_send_buffer, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    times = {"handshake_s": 0.2, "head_s": 0.2, "body_s": 0.2, "idle_s": 0.2}
    gateway = {"listeners": [{"address": "127.0.0.1", "port": 0}], "timeouts": times}
    return [Institution(BANK, "bank", timeouts=SHORT_TIMEOUTS)], {"gateway": gateway}


async def test_a_silent_connection_is_closed_without_a_response(env):
    async with await env.connect() as connection:
        assert await connection.is_closed()
    assert env.exchanges == []


async def test_an_idle_connection_is_closed_without_a_response(env):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
        assert await connection.is_closed()
    assert len(env.exchanges) == 1


async def test_an_unfinished_handshake_is_closed(env):
    async with await Connection.open(env.process.ports[0], None) as connection:
        connection.send(b"\x16\x03\x01\x02\x00\x01")
        assert await connection.is_closed()
    assert not env.relay.connection_registry.connections


async def test_a_connection_that_is_not_read_is_closed(env):
    body = b'{"rsp_code":"00000","x":"' + b"x" * 60_000 + b'"}'

    async def send_large(_call, wire):
        await wire.send(build_response(body))

    env.bank.script = send_large
    async with await env.connect(narrow=True) as connection:
        (server_connection,) = await until(lambda: env.relay.connection_registry.connections, "a connection")
        limit_send_buffer(server_connection.transport)
        connection.send(*[env.build_get() for _ in range(8)])
        await until(lambda: server_connection.transport.get_write_buffer_size() > 0, "a full buffer")
        await until(lambda: not env.relay.connection_registry.connections, "the connection being closed")


async def test_a_405_is_readable_while_the_body_is_still_being_sent(env):
    data = env.build_get().replace(b"GET", b"PUT", 1).replace(b"Host:", b"Content-Length: 3000000\r\nHost:", 1)
    for _ in range(5):
        async with await env.connect() as connection:
            connection.send(data)
            for _ in range(30):
                connection.send(b"x" * 100_000)
                await asyncio.sleep(0)
            assert (await connection.read_answer()).rsp_code == "40501"
