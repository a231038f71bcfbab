"""What is no request is refused in the standard's words and dies here: no byte of it reaches an institution."""

import asyncio
import logging
import time
from itertools import pairwise

import pytest
from malformed_relay import Recorder, payloads
from stage.town import BANK

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD_S = BODY_S = HANDSHAKE_S = 0.3


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    times = {"handshake_s": HANDSHAKE_S, "head_s": HEAD_S, "body_s": BODY_S, "idle_s": 0.6}
    return [Recorder()], {"gateway": {"timeouts": times}}


@pytest.fixture
def bank(town):
    return town.institutions[BANK]


def refusals(caplog):
    """When lines about refused requests were logged; nothing worse may stand in the log."""
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.WARNING
    ] == []
    return [record.created for record in caplog.records if record.getMessage().startswith("malformed request: ")]


async def test_there_are_payloads_of_every_kind():
    names = [payload.name for payload in payloads()]
    assert len(set(names)) == len(names) > 60


@pytest.mark.parametrize("payload", payloads(), ids=lambda payload: payload.name)
async def test_it_is_refused_in_the_standards_words_and_no_institution_hears_of_it(town, bank, caplog, payload):
    good = town.fields()
    async with await town.line() as line:
        answer = await line.ask(payload.data(good))
        assert (answer.status, answer.rsp_code) == payload.then
        assert list(answer.json()) == ["rsp_code", "rsp_msg"]
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["x-api-tran-id"] == ("" if payload.unread else good["x-api-tran-id"])
        assert answer.headers["connection"] == "close"
        assert await line.hung_up()
    assert bank.heard == b""
    assert (await town.ask()).status == 200
    assert bank.heard.count(b" HTTP/1.1\r\n") == 1
    assert b"smuggled" not in bank.heard
    assert len(refusals(caplog)) <= 1


async def test_good_requests_before_it_are_answered_and_nothing_after_it_is(town, bank):
    bad = town.get().replace(b"/v1/", b"/v1//", 1)
    async with await town.line() as line:
        line.send(town.get() + town.post() + bad + town.get())
        assert [(await line.answer()).status for _ in range(3)] == [200, 200, 404]
        assert await line.hung_up()
    assert bank.heard.count(b" HTTP/1.1\r\n") == 2


async def test_a_flood_is_one_line_a_second(town, caplog):
    async def refused():
        async with await town.line() as line:
            return (await line.ask(b"\r\n\r\n")).status

    begun = time.monotonic()
    assert await asyncio.gather(*[refused() for _ in range(10)]) == [400] * 10
    lines = refusals(caplog)
    assert len(lines) <= 1 + (time.monotonic() - begun)
    assert all(later - earlier > 0.99 for earlier, later in pairwise(lines))


async def dripped(line, data, pause=0.02):
    """Send byte by byte until something comes back; (answer, seconds it took)."""
    begun = time.monotonic()
    answer = asyncio.ensure_future(line.answer())
    for sign in data:
        line.send(bytes([sign]))
        await asyncio.wait({answer}, timeout=pause)
        if answer.done():
            break
    return await answer, time.monotonic() - begun


async def test_a_dripping_head_is_given_up_in_time(town, bank):
    async with await town.line() as line:
        answer, took = await dripped(line, town.get())
        assert (answer.status, answer.rsp_code) == (400, "40002")
        assert await line.hung_up()
    assert HEAD_S <= took < 4 * HEAD_S
    assert bank.heard == b""


async def test_a_dripping_body_is_given_up_in_time_and_told_whose_it_was(town, bank):
    head, body = town.post().split(b"\r\n\r\n")
    tran_id = head.partition(b"x-api-tran-id: ")[2][:25].decode()
    async with await town.line() as line:
        line.send(head + b"\r\n\r\n")
        answer, took = await dripped(line, body)
        assert (answer.status, answer.rsp_code) == (400, "40001")
        assert answer.headers["x-api-tran-id"] == tran_id
        assert await line.hung_up()
    assert BODY_S <= took < 4 * BODY_S
    assert bank.heard == b""


async def closed(reader, writer, most):
    """Seconds until the relay hangs up."""
    begun = time.monotonic()
    async with asyncio.timeout(most):
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
    return time.monotonic() - begun


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"])
async def test_a_handshake_that_never_comes_is_given_up_in_time(town, sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", town.process.ports[0])
    writer.write(sent)
    assert await closed(reader, writer, 4 * HANDSHAKE_S) >= HANDSHAKE_S * 0.9


async def test_who_shakes_hands_and_says_nothing_is_closed_in_time(town):
    line = await town.line()
    assert await closed(line.reader, line.writer, 4 * HEAD_S) >= HEAD_S * 0.5


async def test_an_idle_connection_is_closed_in_time(town):
    line = await town.line()
    assert (await line.ask(town.get())).status == 200
    assert await closed(line.reader, line.writer, 2.0) >= 0.5
