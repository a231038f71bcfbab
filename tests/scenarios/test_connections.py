"""One connection of an operator: many calls, one behind the other, in any pieces."""

import pytest
from stage.institution import Institution
from stage.town import BANK, CARD, DETAIL, request
from stage.waiting import narrow, until

from relay.wire.server import WRITE_HIGH

pytestmark = pytest.mark.asyncio(loop_scope="module")


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    refused = {name: {"per_second": 1e6, "burst": 10**6} for name in ("connection", "certificate", "address")}
    return [Institution(BANK, "bank"), Institution(CARD, "card")], {"rates": {"refused": refused}}


def tran_id_of(data):
    return data.split(b"x-api-tran-id: ")[1].split(b"\r\n")[0].decode()


async def test_a_line_serves_call_after_call_and_so_does_the_institutions(town):
    async with await town.line() as line:
        for _ in range(20):
            data = town.get()
            answer = await line.ask(data)
            assert (answer.status, answer.json()["asked"]) == (200, tran_id_of(data))
            assert "connection" not in answer.headers
    assert (len(town.bank.seen), town.bank.connections) == (20, 1)


async def test_pipelined_calls_are_answered_in_order_with_a_refused_one_between_and_noise_at_the_end(town):
    calls = [town.get(), town.get(x_api_type="nonsense"), town.post(), town.get("/v1/bank/nothing")]
    async with await town.line() as line:
        line.send(*calls, b"noise\r\n\r\n")
        answers = [await line.answer() for _ in range(5)]
        assert await line.hung_up()
    assert [answer.status for answer in answers] == [200, 400, 200, 404, 400]
    assert [answer.headers["x-api-tran-id"] for answer in answers] == [*map(tran_id_of, calls), ""]
    assert [answer.headers.get("connection") for answer in answers] == [None] * 4 + ["close"]
    assert len(town.bank.seen) == 2


async def test_more_calls_than_may_wait_are_all_answered_in_order(town):
    calls = [town.get() for _ in range(150)]
    async with await town.line() as line:
        line.send(*calls)
        answers = [await line.answer() for _ in calls]
    assert [answer.json()["asked"] for answer in answers] == [*map(tran_id_of, calls)]


async def test_nothing_is_answered_after_connection_close(town):
    async with await town.line() as line:
        line.send(town.get(Connection="close"), town.get())
        assert (await line.answer()).headers["connection"] == "close"
        assert await line.hung_up()
    assert len(town.bank.seen) == 1


async def test_a_refusal_closes_when_the_call_asked_for_it(town):
    async with await town.line() as line:
        answer = await line.ask(town.get("/nowhere", Connection="Close"))
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        assert await line.hung_up()


async def test_a_refusal_leaves_the_line_open(town):
    async with await town.line() as line:
        assert (await line.ask(town.get("/nowhere"))).status == 404
        assert (await line.ask(town.get())).status == 200


async def test_a_call_may_come_byte_by_byte(town):
    async with await town.line() as line:
        for byte in town.post():
            line.send(bytes([byte]))
            await line.writer.drain()
        assert (await line.answer()).status == 200


async def test_a_body_in_chunks_reaches_the_institution_with_a_length(town):
    body = b'{"org_code":"ZBAA000001","account_num":"1","search_timestamp":"0"}'
    chunks = b"10\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:16], len(body) - 16, body[16:])
    fields = town.fields() | {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    async with await town.line() as line:
        line.send(request("POST", DETAIL, fields, chunks), town.get())
        assert [(await line.answer()).status for _ in range(2)] == [200, 200]
    assert town.bank.seen[0].body == body
    assert town.bank.seen[0].headers["content-length"] == str(len(body))


async def test_who_expects_100_is_told_to_go_on(town):
    head, body = town.post(Expect="100-continue").split(b"\r\n\r\n")
    async with await town.line() as line:
        assert (await line.ask(head, b"\r\n\r\n")).status == 100
        assert (await line.ask(body)).status == 200


async def test_who_sends_the_body_at_once_is_not_told_to_go_on(town):
    async with await town.line() as line:
        assert (await line.ask(town.post(Expect="100-continue"))).status == 200


async def test_the_institution_is_not_asked_before_the_whole_body_is_there(town):
    data = town.post()
    async with await town.line() as line:
        line.send(data[:-1])
        assert (await line.ask()).rsp_code == "40001"
    assert town.bank.seen == []


async def test_what_is_pipelined_behind_a_reader_that_does_not_read_waits(town):
    calls = 2000
    async with await town.line(narrow=True) as line:
        await line.ask(town.get("/nowhere"))
        (connection,) = town.relay.connection_registry.connections
        narrow(connection.transport)
        line.send(*[town.get("/nowhere") for _ in range(calls)])
        await until(lambda: connection.transport.get_write_buffer_size() > WRITE_HIGH, "a full buffer")
        held = len(town.exchanges)
        assert connection.transport.get_write_buffer_size() < 2 * WRITE_HIGH
        assert held < calls
        for _ in range(calls):
            assert (await line.answer()).status == 404


async def test_an_idle_line_costs_the_institution_nothing(town):
    async with await town.line():
        await until(lambda: town.relay.connection_registry.connections, "a connection")
    assert (town.bank.connections, town.exchanges) == (0, [])
