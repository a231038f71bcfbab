"""Large answers, slow readers, callers that go away: what is held, what is freed, how it is told."""

import asyncio

import pytest
from stage.institution import Institution, answers_well, body_for, whole
from stage.town import BANK, PATIENT
from stage.waiting import narrow, until

from relay.wire.client import READ_BYTES
from relay.wire.server import WRITE_HIGH

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK_BANK = "ZBAA000002"
MUTE = "ZBAA000003"  # takes connections and does not know TLS
HELD_MOST = WRITE_HIGH + 2 * READ_BYTES
"""One read above the mark that pauses the institution, and TLS around it."""


def TOWN(certificates):  # noqa: N802 - a constant of the module, made late
    bank = Institution(BANK, "bank", timeouts=PATIENT, concurrency=2, queue=4)
    mute = Institution(MUTE, "bank", timeouts=PATIENT, link="tls", ca=str(certificates.ca))
    return [bank, Institution(QUICK_BANK, "bank"), mute], {}


def large(size):
    body = b'{"rsp_code":"00000","rsp_msg":"' + bytes(range(97, 123)) * (size // 26)
    return body[: size - 2] + b'"}'


def sends(body, step=64 * 1024, chunked=False):
    async def script(_asked, wire):
        head = whole(body)[: -len(body)]
        if chunked:
            head = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        await wire.send(head)
        for at in range(0, len(body), step):
            part = body[at : at + step]
            await wire.send(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            await wire.send(b"0\r\n\r\n")

    return script


def holds(wires):
    """A script that answers nothing and tells when the relay hung up."""

    async def script(_asked, wire):
        gone = asyncio.Event()
        wires.append(gone)
        await wire.left()
        gone.set()

    return script


async def paused(town, line):
    """Ask on a narrow line and wait until the relay has stopped reading the answer."""
    (connection,) = await until(lambda: town.relay.connection_registry.connections, "a connection")
    narrow(connection.transport)
    line.send(town.get())
    (upstream,) = await until(lambda: town.pool()._connections, "a line to the institution")
    await until(lambda: not upstream.transport.is_reading(), "a pause")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_000_000, 8_000_000])
async def test_an_answer_comes_whole_whatever_its_size(town, size, chunked):
    body = large(size)
    town.bank.script = sends(body, chunked=chunked)
    answer = await town.ask()
    assert (answer.status, answer.body == body) == (200, True)
    assert ("transfer-encoding" in answer.headers) == (chunked and size > 2 * 65_536)
    assert ((await town.record()).bytes_out, town.pool().counts()["idle"]) == (size, 1)


async def test_a_slow_reader_holds_back_the_institution_and_loses_nothing(town):
    body = large(8_000_000)
    town.bank.script = sends(body)
    async with await town.line(narrow=True) as line:
        await paused(town, line)
        (connection,), (wire,) = town.relay.connection_registry.connections, town.bank.wires
        assert connection.transport.get_write_buffer_size() <= HELD_MOST
        assert wire.sent < len(body)
        answer = await line.answer()
    assert answer.body == body


async def test_after_a_slow_reader_the_same_line_serves_the_next_call(town):
    town.bank.script = sends(large(8_000_000))
    async with await town.line(narrow=True) as line:
        await paused(town, line)
        await line.answer()
        town.bank.script = answers_well
        assert (await line.ask(town.get())).status == 200
    assert town.bank.connections == 1


async def test_a_reader_that_never_reads_is_cut_off_when_the_time_is_over(town):
    town.institutions[QUICK_BANK].script = sends(large(16_000_000))
    async with await town.line(narrow=True) as line:
        line.send(town.get(provider=QUICK_BANK))
        exchange = await town.record()
        await until(lambda: not town.relay.connection_registry.connections, "the line being cut")
    assert (exchange.reason, exchange.status, exchange.provider_status) == ("operator_slow", 200, 200)
    assert town.pool(QUICK_BANK).counts() == {"idle": 0, "flying": 0, "waiting": 0}


async def test_who_hangs_up_frees_the_institution_at_once(town):
    gone = []
    town.bank.script = holds(gone)
    async with await town.line() as line:
        line.send(town.get())
        (freed,) = await until(lambda: gone, "a call")
    async with asyncio.timeout(1):
        await freed.wait()
    assert town.pool().counts() == {"idle": 0, "flying": 0, "waiting": 0}
    exchange = await town.record()
    assert (exchange.reason, exchange.status, exchange.rsp_code) == ("operator_gone", 500, "50002")
    assert (exchange.attempts, exchange.provider_status) == (1, 0)


async def test_who_hangs_up_in_the_middle_of_an_answer_frees_the_institution(town):
    left = asyncio.Event()

    async def half(_asked, wire):
        body = large(1_000_000)
        await wire.send(whole(body)[:500_000])
        await wire.left()
        left.set()

    town.bank.script = half
    async with await town.line() as line:
        line.send(town.get())
        await line.reader.readexactly(100_000)
    async with asyncio.timeout(1):
        await left.wait()
    exchange = await town.record()
    assert (exchange.reason, exchange.status, exchange.provider_status) == ("operator_gone", 200, 200)
    assert 0 < exchange.bytes_out < 1_000_000


async def test_who_hangs_up_in_the_queue_was_never_heard_of(town):
    gone = []
    town.bank.script = holds(gone)
    lines = [await town.line() for _ in range(3)]
    for number, line in enumerate(lines):
        line.send(town.get())
        await until(lambda wanted=number: sum(town.pool().counts().values()) == wanted + 1, "a call")
    await until(lambda: len(gone) == 2, "two calls")
    assert town.pool().counts() == {"idle": 0, "flying": 2, "waiting": 1}
    lines[2].hang_up()
    await until(lambda: town.exchanges, "a record")
    assert town.pool().counts() == {"idle": 0, "flying": 2, "waiting": 0}
    assert (town.exchanges[0].reason, town.exchanges[0].attempts) == ("operator_gone", 0)
    for line in lines:
        line.hang_up()
    await until(lambda: len(town.exchanges) == 3, "three records")
    assert len(town.bank.seen) == 2


async def test_who_hangs_up_while_a_line_is_dialled_leaves_nothing_behind(town):
    mute = town.institutions[MUTE]
    async with await town.line() as line:
        line.send(town.get(provider=MUTE))
        await until(lambda: mute.wires, "a line that waits for its handshake")
    assert (await town.record()).reason == "operator_gone"
    await until(lambda: not mute.wires, "nobody on the institution's side")
    assert town.pool(MUTE).counts() == {"idle": 0, "flying": 0, "waiting": 0}


async def test_the_next_in_the_queue_goes_when_one_hangs_up(town):
    gone = []
    town.bank.script = holds(gone)
    lines = [await town.line() for _ in range(3)]
    for number, line in enumerate(lines):
        line.send(town.get())
        await until(lambda wanted=number: sum(town.pool().counts().values()) == wanted + 1, "a call")
    await until(lambda: len(gone) == 2, "two calls")
    town.bank.script = answers_well
    lines[0].hang_up()
    assert (await lines[2].answer()).status == 200
    for line in lines:
        line.hang_up()


async def test_half_an_answer_never_looks_whole(town):
    async def half(asked, wire):
        await wire.send(whole(body_for(asked))[:-1])
        wire.reset()

    town.bank.script = half
    answer = await town.ask()
    assert (answer.status, answer.rsp_code) == (500, "50005")
