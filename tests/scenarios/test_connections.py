"""Many calls on one connection of an operator: pipelined, in chunks, byte by byte."""

import pytest
from fixtures.gateway_environment import BANK, CARD, DETAIL, SHORT_READS, request
from fixtures.institution import Institution
from fixtures.waiting import limit_send_buffer, until

from relay.wire.server import WRITE_HIGH

pytestmark = pytest.mark.asyncio(loop_scope="module")


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    refused = {name: {"per_second": 1e6, "burst": 10**6} for name in ("connection", "certificate", "address")}
    return [Institution(BANK, "bank"), Institution(CARD, "card")], {
        "rates": {"refused": refused},
        "gateway": {"timeouts": SHORT_READS},
    }


def get_tran_id(data):
    return data.split(b"x-api-tran-id: ")[1].split(b"\r\n")[0].decode()


async def test_connections_on_both_sides_are_reused(env):
    async with await env.connect() as connection:
        for _ in range(20):
            data = env.build_get()
            answer = await connection.call(data)
            assert (answer.status, answer.json()["asked"]) == (200, get_tran_id(data))
            assert "connection" not in answer.headers
    assert (len(env.bank.received), env.bank.connections) == (20, 1)


async def test_pipelined_calls_are_answered_in_order(env):
    calls = [env.build_get(), env.build_get(x_api_type="nonsense"), env.build_post(), env.build_get("/v1/bank/nothing")]
    async with await env.connect() as connection:
        connection.send(*calls, b"noise\r\n\r\n")
        answers = [await connection.read_answer() for _ in range(5)]
        assert await connection.is_closed()
    assert [answer.status for answer in answers] == [200, 400, 200, 404, 400]
    assert [answer.headers["x-api-tran-id"] for answer in answers] == [*map(get_tran_id, calls), ""]
    assert [answer.headers.get("connection") for answer in answers] == [None] * 4 + ["close"]
    assert len(env.bank.received) == 2


async def test_more_pipelined_calls_than_the_queue_holds_are_answered(env):
    calls = [env.build_get() for _ in range(150)]
    async with await env.connect() as connection:
        connection.send(*calls)
        answers = [await connection.read_answer() for _ in calls]
    assert [answer.json()["asked"] for answer in answers] == [*map(get_tran_id, calls)]


async def test_nothing_is_answered_after_connection_close(env):
    async with await env.connect() as connection:
        connection.send(env.build_get(Connection="close"), env.build_get())
        assert (await connection.read_answer()).headers["connection"] == "close"
        assert await connection.is_closed()
    assert len(env.bank.received) == 1


async def test_a_refusal_closes_when_the_call_asked_for_it(env):
    async with await env.connect() as connection:
        answer = await connection.call(env.build_get("/nowhere", Connection="Close"))
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        assert await connection.is_closed()


async def test_a_refusal_leaves_the_connection_open(env):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get("/nowhere"))).status == 404
        assert (await connection.call(env.build_get())).status == 200


async def test_a_call_may_arrive_byte_by_byte(env):
    async with await env.connect() as connection:
        for byte in env.build_post():
            connection.send(bytes([byte]))
            await connection.writer.drain()
        assert (await connection.read_answer()).status == 200


async def test_a_body_in_chunks_reaches_the_institution_with_a_length(env):
    body = b'{"org_code":"ZBAA000001","account_num":"1","search_timestamp":"0"}'
    chunks = b"10\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:16], len(body) - 16, body[16:])
    fields = env.build_fields() | {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    async with await env.connect() as connection:
        connection.send(request("POST", DETAIL, fields, chunks), env.build_get())
        assert [(await connection.read_answer()).status for _ in range(2)] == [200, 200]
    assert env.bank.received[0].body == body
    assert env.bank.received[0].headers["content-length"] == str(len(body))


async def test_expect_100_continue_is_answered_with_100(env):
    head, body = env.build_post(Expect="100-continue").split(b"\r\n\r\n")
    async with await env.connect() as connection:
        assert (await connection.call(head, b"\r\n\r\n")).status == 100
        assert (await connection.call(body)).status == 200


async def test_no_100_is_sent_when_the_body_is_already_there(env):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_post(Expect="100-continue"))).status == 200


async def test_a_call_is_not_forwarded_before_its_body_is_complete(env):
    data = env.build_post()
    async with await env.connect() as connection:
        connection.send(data[:-1])
        assert (await connection.call()).rsp_code == "40001"
    assert env.bank.received == []


async def test_pipelined_calls_wait_while_the_caller_does_not_read(env):
    calls = 2000
    async with await env.connect(narrow=True) as connection:
        await connection.call(env.build_get("/nowhere"))
        (server_connection,) = env.relay.connection_registry.connections
        limit_send_buffer(server_connection.transport)
        connection.send(*[env.build_get("/nowhere") for _ in range(calls)])
        await until(lambda: server_connection.transport.get_write_buffer_size() > WRITE_HIGH, "a full buffer")
        held = len(env.exchanges)
        assert server_connection.transport.get_write_buffer_size() < 2 * WRITE_HIGH
        assert held < calls
        for _ in range(calls):
            assert (await connection.read_answer()).status == 404


async def test_an_idle_connection_opens_none_to_the_institution(env):
    async with await env.connect():
        await until(lambda: env.relay.connection_registry.connections, "a connection")
    assert (env.bank.connections, env.exchanges) == (0, [])
