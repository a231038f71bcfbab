"""How much: rates, connections, calls at once. Who is beyond his measure takes nothing from anybody else."""

import asyncio
import socket

import pytest
from stage.institution import Institution, answers_well
from stage.town import BANK, CARD, ONE, PATIENT, TWO
from stage.waiting import until

from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEIGHBOUR = "127.0.0.2"
"""An address that begins too many connections; the others call from 127.0.0.1."""

OTHER, SHARED, BUSY, FREE = "ZBAA000002", "ZBAA000003", "ZBAA000004", "ZBAA000005"


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    slow = {"per_second": 0.01, "burst": 3}
    gateway = {
        "limits": {"connections_per_operator": 3},
        "listeners": [{"address": "127.0.0.1", "port": 0}],
    }
    rates = {
        "operator_provider": {"per_second": 0.5, "burst": 2},
        "refused": {"connection": {"per_second": 0.01, "burst": 12}},
    }
    return [
        Institution(BANK, "bank"),
        Institution(CARD, "card"),
        Institution(OTHER, "bank"),
        Institution(SHARED, "bank", rate=slow),
        Institution(BUSY, "bank", concurrency=1, queue=1, timeouts=PATIENT),
        Institution(FREE, "bank"),
    ], {"rates": rates, "gateway": gateway}


@pytest.fixture(autouse=True)
def unused(town):
    """Nobody has taken anything yet."""
    town.relay.counters.__init__(town.relay.gateway.plan.operator_bucket, town.relay.counters._provider_buckets)


async def test_an_operator_beyond_its_rate_is_told_when_to_come_back(town):
    assert [(await town.ask()).status for _ in range(2)] == [200, 200]
    answer = await town.ask()
    assert (answer.status, answer.rsp_code, answer.headers["retry-after"]) == (429, "42901", "2")
    assert (town.exchanges[-1].reason, len(town.bank.seen)) == ("operator_rate", 2)


async def test_what_one_operator_used_up_another_still_has(town):
    for _ in range(3):
        await town.ask()
    assert (await town.ask(town.get(operator=TWO), town.pair_of(TWO))).status == 200


async def test_what_was_used_up_at_one_institution_is_there_at_another(town):
    for _ in range(3):
        await town.ask()
    assert (await town.ask(town.get(provider=OTHER))).status == 200
    assert (await town.ask(town.get("/v1/card/cards", provider=CARD))).status == 200


async def test_an_institution_is_spared_by_all_operators_together(town):
    for _ in range(2):
        assert (await town.ask(town.get(provider=SHARED))).status == 200
    assert (await town.ask(town.get(provider=SHARED, operator=TWO), town.pair_of(TWO))).status == 200
    answer = await town.ask(town.get(provider=SHARED, operator=TWO), town.pair_of(TWO))
    assert (answer.status, answer.rsp_code, answer.headers["retry-after"]) == (429, "42901", "100")
    assert (town.exchanges[-1].reason, len(town.institutions[SHARED].seen)) == ("provider_rate", 3)
    assert (await town.ask()).status == 200


async def test_what_is_refused_for_another_reason_takes_nothing(town):
    for _ in range(5):
        await town.ask(town.get(query={"limit": "0"}))
    assert [(await town.ask()).status for _ in range(3)] == [200, 200, 429]


async def test_one_connection_too_many_is_told_so_and_the_others_go_on(town):
    lines = [await town.line() for _ in range(3)]
    assert (await lines[0].ask(town.get())).status == 200
    async with await town.line() as fourth:
        answer = await fourth.ask(town.get())
        assert (answer.status, answer.rsp_code) == (429, "42901")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["connection"] == "close"
        assert await fourth.hung_up()
    refused = town.exchanges[-1]
    assert (refused.reason, len(town.bank.seen)) == ("connections_exceeded", 1)
    assert (refused.api_code, refused.provider, refused.operator) == ("BA01", BANK, ONE)
    async with await town.line(town.pair_of(TWO)) as other:
        assert (await other.ask(town.get(operator=TWO))).status == 200
    assert (await lines[1].ask(town.get())).status == 200
    for line in lines:
        line.hang_up()
    await until(lambda: not town.relay.connection_registry.connections, "nobody being there")
    assert (await town.ask(town.get(provider=OTHER))).status == 200


async def test_a_flood_of_refused_calls_is_answered_once_more_and_closed(town):
    async with await town.line() as line:
        for _ in range(1000):
            line.send(town.get("/v1/bank/nothing"))
        answers = [await line.answer() for _ in range(13)]
        assert [answer.rsp_code for answer in answers] == ["40401"] * 12 + ["42901"]
        assert (answers[-1].headers["connection"], answers[-1].headers["retry-after"]) == ("close", "100")
        assert await line.hung_up()
    assert [exchange.reason for exchange in town.exchanges[-2:]] == ["endpoint_unknown", "refusals_exceeded"]
    assert (await town.ask()).status == 200


def shake_hands_and_stay(port, context, request=b""):
    """Shake hands, call when there is a request, and take no notice of the relay's close; the socket stays open."""
    wire = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    if request:
        wire.sendall(request)
        assert wire.recv(12) == b"HTTP/1.1 429"
    return wire


@pytest.mark.parametrize("calls", [True, False])
async def test_a_refused_connection_leaves_though_its_peer_does_not(town, calls):
    lines = [await town.line() for _ in range(3)]
    for line in lines:
        assert (await line.ask(town.get("/nowhere"))).status == 404
    rejected, connections = town.relay.connection_registry.rejected, town.relay.connection_registry.connections
    before = rejected["connections_exceeded"]
    context, port = town.context(town.pair_of("ZOPA000001")), town.process.ports[0]
    request = town.get() if calls else b""
    with await asyncio.to_thread(shake_hands_and_stay, port, context, request):
        await until(lambda: rejected["connections_exceeded"] == before + 1, "the refusal")
        await until(lambda: len(connections) == len(lines), "the end of the one too many")
    for line in lines:
        line.hang_up()
    await until(lambda: not connections, "nobody being there")


async def test_connections_never_used_leave_after_head_s_and_give_their_places_back(town):
    context, port = town.context(town.pair_of("ZOPA000001")), town.process.ports[0]
    idle = [await asyncio.to_thread(shake_hands_and_stay, port, context) for _ in range(3)]
    await until(lambda: not town.relay.connection_registry.connections, "the end of those never used")
    assert (await town.ask()).status == 200
    for wire in idle:
        wire.close()


async def test_refused_connections_in_a_row_take_no_place_of_any_operator(town):
    lines = [await town.line() for _ in range(3)]
    for line in lines:
        assert (await line.ask(town.get("/nowhere"))).status == 404
    beyond = [await town.line() for _ in range(20)]
    lines.pop().hang_up()
    await until(
        lambda: sum(not one.info.is_excess for one in town.relay.connection_registry.connections) == 2, "a free place"
    )
    async with await town.line() as line:
        assert (await line.ask(town.get())).status == 200
    for line in (*lines, *beyond):
        line.hang_up()
    await until(lambda: not town.relay.connection_registry.connections, "nobody being there")


async def test_a_busy_institution_lets_one_wait_and_refuses_the_next(town):
    release = asyncio.Event()

    async def waits(asked, wire):
        await release.wait()
        await answers_well(asked, wire)

    busy, lines = town.institutions[BUSY], []
    busy.script = waits
    for number, operator in enumerate(("ZOPA000001", "ZOPA000001", TWO)):
        lines.append(await town.line(town.pair_of(operator)))
        lines[-1].send(town.get(provider=BUSY, operator=operator))
        if number < 2:
            await until(lambda wanted=number + 1: sum(town.pool(BUSY).counts().values()) == wanted, "a call")
    answer = await lines[2].answer()
    assert (answer.status, answer.rsp_code, town.exchanges[-1].reason) == (500, "50005", "provider_busy")
    assert (await lines[2].ask(town.get(provider=FREE, operator=TWO))).status == 200
    await until(lambda: len(busy.seen) == 1, "the first call")
    release.set()
    answers = [await line.answer() for line in lines[:2]]
    assert [answer.json()["asked"] for answer in answers] == [asked.tran_id for asked in busy.seen]
    assert (len(busy.seen), busy.connections) == (2, 1)
    for line in lines:
        line.hang_up()


async def test_an_address_that_begins_too_many_handshakes_is_closed_before_tls(town):
    limits, rejected, port = town.relay.handshakes, town.relay.connection_registry.rejected, town.process.ports[0]
    limits.adjust(Bucket.of(Rate(per_second=0.01, burst=5)))
    callers = [await asyncio.open_connection("127.0.0.1", port, local_addr=(NEIGHBOUR, 0)) for _ in range(8)]
    await until(lambda: rejected["handshakes_exceeded"] == 3, "three refusals")
    for reader, _ in callers[5:]:
        assert await reader.read() == b""
    assert (await town.ask()).status == 200
    limits.adjust(Bucket.of(Rate(per_second=100000, burst=100000)))
    for _, writer in callers:
        writer.transport.abort()
