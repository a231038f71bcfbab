"""How long a caller may keep us waiting: silent, idle, half through its handshake, not reading."""

import asyncio

import pytest
from stage.caller import Line
from stage.institution import Institution, whole
from stage.town import BANK
from stage.waiting import narrow, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    times = {"handshake_s": 0.2, "head_s": 0.2, "body_s": 0.2, "idle_s": 0.2}
    gateway = {"listeners": [{"address": "127.0.0.1", "port": 0}], "timeouts": times}
    return [Institution(BANK, "bank")], {"gateway": gateway}


async def test_who_says_nothing_is_hung_up_on_without_a_word(town):
    async with await town.line() as line:
        assert await line.hung_up()
    assert town.exchanges == []


async def test_who_is_idle_after_a_call_is_hung_up_on_without_a_word(town):
    async with await town.line() as line:
        assert (await line.ask(town.get())).status == 200
        assert await line.hung_up()
    assert len(town.exchanges) == 1


async def test_who_does_not_end_its_handshake_is_cut(town):
    async with await Line.open(town.process.ports[0], None) as line:
        line.send(b"\x16\x03\x01\x02\x00\x01")
        assert await line.hung_up()
    assert not town.relay.connection_registry.connections


async def test_a_line_that_nobody_reads_does_not_stay_for_ever(town):
    body = b'{"rsp_code":"00000","x":"' + b"x" * 60_000 + b'"}'

    async def large(_asked, wire):
        await wire.send(whole(body))

    town.bank.script = large
    async with await town.line(narrow=True) as line:
        (connection,) = await until(lambda: town.relay.connection_registry.connections, "a connection")
        narrow(connection.transport)
        line.send(*[town.get() for _ in range(8)])
        await until(lambda: connection.transport.get_write_buffer_size() > 0, "a full buffer")
        await until(lambda: not town.relay.connection_registry.connections, "the line being cut")


async def test_a_refused_method_is_read_by_who_still_sends_its_body(town):
    data = town.get().replace(b"GET", b"PUT", 1).replace(b"Host:", b"Content-Length: 3000000\r\nHost:", 1)
    for _ in range(5):
        async with await town.line() as line:
            line.send(data)
            for _ in range(30):
                line.send(b"x" * 100_000)
                await asyncio.sleep(0)
            assert (await line.answer()).rsp_code == "40501"
