"""Large answers, slow readers, disconnects: buffers, freed resources, recorded reasons."""

import asyncio
import ssl

import pytest
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, SHORT_TIMEOUTS
from fixtures.institution import Institution, answers_well, build_body, build_response
from fixtures.waiting import limit_send_buffer, until

from relay.wire.client import READ_BYTES
from relay.wire.server import WRITE_HIGH

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK_BANK = "ZBAA000002"
MUTE = "ZBAA000003"  # accepts connections, but not TLS
SECURE = "ZBAA000004"  # over TLS
BUFFER_MAX = WRITE_HIGH + 2 * READ_BYTES
"""One read above the high-water mark that pauses the institution, with TLS overhead."""


def ENVIRONMENT(certificates):  # noqa: N802 - a constant that needs a fixture
    bank = Institution(BANK, "bank", timeouts=LONG_TIMEOUTS, concurrency=2, queue=4)
    mute = Institution(MUTE, "bank", timeouts=LONG_TIMEOUTS, link="tls", ca=str(certificates.ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.providers["bank"].certificate, certificates.providers["bank"].private_key)
    tls = {"link": "tls", "ca": str(certificates.ca), "host": "localhost"}
    secure = Institution(SECURE, "bank", context, timeouts=LONG_TIMEOUTS, **tls)
    return [bank, Institution(QUICK_BANK, "bank", timeouts=SHORT_TIMEOUTS), mute, secure], {}


def build_large(size):
    body = b'{"rsp_code":"00000","rsp_msg":"' + bytes(range(97, 123)) * (size // 26)
    return body[: size - 2] + b'"}'


def send_body(body, step=64 * 1024, chunked=False):
    async def script(_call, wire):
        head = build_response(body)[: -len(body)]
        if chunked:
            head = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        await wire.send(head)
        for at in range(0, len(body), step):
            part = body[at : at + step]
            await wire.send(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            await wire.send(b"0\r\n\r\n")

    return script


def hold_open(closings):
    """Builds a script that sends nothing and reports when the relay closes the connection."""

    async def script(_call, wire):
        closed = asyncio.Event()
        closings.append(closed)
        await wire.wait_closed()
        closed.set()

    return script


async def wait_paused(env, connection):
    """Calls on a connection with small buffers and waits until the relay pauses the institution."""
    (server_connection,) = await until(lambda: env.relay.connection_registry.connections, "a connection")
    limit_send_buffer(server_connection.transport)
    connection.send(env.build_get())
    (upstream,) = await until(lambda: env.pool().connections, "a connection to the institution")
    await until(lambda: not upstream.transport.is_reading(), "a pause")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 1_000_000, 8_000_000])
async def test_answers_of_any_size_arrive_complete(env, size, chunked):
    body = build_large(size)
    env.bank.script = send_body(body, chunked=chunked)
    answer = await env.call()
    assert (answer.status, answer.body == body) == (200, True)
    assert ("transfer-encoding" in answer.headers) == (chunked and size > 2 * 65_536)
    assert ((await env.get_exchange()).bytes_out, env.pool().counts()["idle"]) == (size, 1)


async def test_a_head_that_arrives_before_its_large_body_is_accepted(env):
    body = build_large(100_000)
    is_head_read = asyncio.Event()

    async def script(_call, wire):
        await wire.send(build_response(body)[: -len(body)])
        await is_head_read.wait()
        await wire.send(body)

    env.bank.script = script
    async with await env.connect() as connection:
        connection.send(env.build_get())
        await until(lambda: env.bank.received, "the call")
        assert (await env.call(env.build_get(provider=QUICK_BANK))).status == 200  # meanwhile the head was read
        is_head_read.set()
        answer = await connection.read_answer()
    assert (answer.status, answer.body == body) == (200, True)


async def test_a_large_answer_over_tls_does_not_wait_for_timers(env):
    body = build_large(4_000_000)  # by the timers of TCP it would take 25 s, and a call may take 8
    env.institutions[SECURE].script = send_body(body)
    answer = await env.call(env.build_get(provider=SECURE))
    assert (answer.status, answer.body == body) == (200, True)


async def test_a_slow_reader_pauses_the_institution_and_loses_nothing(env):
    body = build_large(8_000_000)
    env.bank.script = send_body(body)
    async with await env.connect(narrow=True) as connection:
        await wait_paused(env, connection)
        (server_connection,), (wire,) = env.relay.connection_registry.connections, env.bank.wires
        assert server_connection.transport.get_write_buffer_size() <= BUFFER_MAX
        assert wire.sent < len(body)
        answer = await connection.read_answer()
    assert answer.body == body


async def test_a_connection_is_reused_after_a_slow_reader(env):
    env.bank.script = send_body(build_large(8_000_000))
    async with await env.connect(narrow=True) as connection:
        await wait_paused(env, connection)
        await connection.read_answer()
        env.bank.script = answers_well
        assert (await connection.call(env.build_get())).status == 200
    assert env.bank.connections == 1


async def test_a_caller_that_never_reads_is_cut_off_after_total_s(env):
    env.institutions[QUICK_BANK].script = send_body(build_large(16_000_000))
    async with await env.connect(narrow=True) as connection:
        connection.send(env.build_get(provider=QUICK_BANK))
        exchange = await env.get_exchange()
        await until(lambda: not env.relay.connection_registry.connections, "the connection being closed")
    assert (exchange.reason, exchange.status, exchange.provider_status) == ("operator_slow", 200, 200)
    assert env.pool(QUICK_BANK).counts() == {"idle": 0, "flying": 0, "waiting": 0}


async def test_a_disconnect_frees_the_institution_at_once(env):
    closings = []
    env.bank.script = hold_open(closings)
    async with await env.connect() as connection:
        connection.send(env.build_get())
        (closed,) = await until(lambda: closings, "a call")
    async with asyncio.timeout(1):
        await closed.wait()
    assert env.pool().counts() == {"idle": 0, "flying": 0, "waiting": 0}
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.status, exchange.rsp_code) == ("operator_gone", 500, "50002")
    assert (exchange.attempts, exchange.provider_status) == (1, 0)


async def test_a_disconnect_during_an_answer_frees_the_institution(env):
    closed = asyncio.Event()

    async def send_half(_call, wire):
        body = build_large(1_000_000)
        await wire.send(build_response(body)[:500_000])
        await wire.wait_closed()
        closed.set()

    env.bank.script = send_half
    async with await env.connect() as connection:
        connection.send(env.build_get())
        await connection.reader.readexactly(100_000)
    async with asyncio.timeout(1):
        await closed.wait()
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.status, exchange.provider_status) == ("operator_gone", 200, 200)
    assert 0 < exchange.bytes_out < 1_000_000


async def test_a_disconnect_in_the_queue_sends_nothing(env):
    closings = []
    env.bank.script = hold_open(closings)
    connections = [await env.connect() for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.send(env.build_get())
        await until(lambda wanted=number: sum(env.pool().counts().values()) == wanted + 1, "a call")
    await until(lambda: len(closings) == 2, "two calls")
    assert env.pool().counts() == {"idle": 0, "flying": 2, "waiting": 1}
    connections[2].abort()
    await until(lambda: env.exchanges, "a record")
    assert env.pool().counts() == {"idle": 0, "flying": 2, "waiting": 0}
    assert (env.exchanges[0].reason, env.exchanges[0].attempts) == ("operator_gone", 0)
    for connection in connections:
        connection.abort()
    await until(lambda: len(env.exchanges) == 3, "three records")
    assert len(env.bank.received) == 2


async def test_a_disconnect_while_dialing_leaves_no_connection(env):
    mute = env.institutions[MUTE]
    async with await env.connect() as connection:
        connection.send(env.build_get(provider=MUTE))
        await until(lambda: mute.wires, "a connection that waits for its handshake")
    assert (await env.get_exchange()).reason == "operator_gone"
    await until(lambda: not mute.wires, "no connection at the institution")
    assert env.pool(MUTE).counts() == {"idle": 0, "flying": 0, "waiting": 0}


async def test_the_next_queued_call_is_sent_after_a_disconnect(env):
    closings = []
    env.bank.script = hold_open(closings)
    connections = [await env.connect() for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.send(env.build_get())
        await until(lambda wanted=number: sum(env.pool().counts().values()) == wanted + 1, "a call")
    await until(lambda: len(closings) == 2, "two calls")
    env.bank.script = answers_well
    connections[0].abort()
    assert (await connections[2].read_answer()).status == 200
    for connection in connections:
        connection.abort()


async def test_a_truncated_answer_is_50005(env):
    async def send_half(call, wire):
        await wire.send(build_response(build_body(call))[:-1])
        wire.reset()

    env.bank.script = send_half
    answer = await env.call()
    assert (answer.status, answer.rsp_code) == (500, "50005")
