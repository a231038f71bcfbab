"""Limits of rates, connections and concurrent calls. One operator over its limit does not affect others."""

import asyncio
import socket

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, CARD, LONG_TIMEOUTS, ONE, SHORT_READS, TWO
from fixtures.institution import Institution, answers_well
from fixtures.waiting import until

from relay.infra.quota.local import LocalQuotaCounters
from relay.policy.quota.bucket import Bucket
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLOODING_ADDRESS = "127.0.0.2"
"""The address that opens too many connections. Operators call from 127.0.0.1."""

SLOW = Rate(per_second=0.01, burst=1)
OTHER, SHARED, BUSY, FREE = "ZBAA000002", "ZBAA000003", "ZBAA000004", "ZBAA000005"


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    slow = {"per_second": 0.01, "burst": 3}
    gateway = {
        "timeouts": SHORT_READS,
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
        Institution(BUSY, "bank", concurrency=1, queue=1, timeouts=LONG_TIMEOUTS),
        Institution(FREE, "bank"),
    ], {"rates": rates, "gateway": gateway}


@pytest.fixture(autouse=True)
def reset_buckets(env):
    """Resets all rate buckets."""
    env.relay.counters = LocalQuotaCounters(env.relay.state.limits.data)
    env.relay.commit(env.relay.state)


async def test_an_operator_over_its_rate_gets_retry_after(env):
    assert [(await env.call()).status for _ in range(2)] == [200, 200]
    answer = await env.call()
    assert (answer.status, answer.rsp_code, answer.headers["retry-after"]) == (429, "42901", "2")
    assert (env.exchanges[-1].reason, len(env.bank.received)) == ("operator_rate", 2)


@pytest.mark.parametrize(
    ("rates", "fields", "reason"),
    [
        ({"service": SLOW}, {}, "service_rate"),
        ({"operator": SLOW}, {}, "operator_rate"),
        ({"scheduled": {BANK: SLOW}}, {"x_api_type": "scheduled"}, "scheduled_rate"),
    ],
)
async def test_a_call_over_a_further_rate_is_42901(env, rates, fields, reason):
    many = Rate(per_second=1000, burst=1000)
    limits = LimitTable(many, {BANK: many}, **rates)
    env.relay.counters.adjust(limits)
    assert (await env.call(env.build_get(**fields))).status == 200
    answer = await env.call(env.build_get(**fields))
    assert (answer.status, answer.rsp_code, env.exchanges[-1].reason) == (429, "42901", reason)


async def test_rates_are_separate_for_each_operator(env):
    for _ in range(3):
        await env.call()
    assert (await env.call(env.build_get(operator=TWO), env.get_pair(TWO))).status == 200


async def test_rates_are_separate_for_each_institution(env):
    for _ in range(3):
        await env.call()
    assert (await env.call(env.build_get(provider=OTHER))).status == 200
    assert (await env.call(env.build_get("/v1/card/cards", provider=CARD))).status == 200


async def test_an_institutions_rate_is_shared_by_all_operators(env):
    for _ in range(2):
        assert (await env.call(env.build_get(provider=SHARED))).status == 200
    assert (await env.call(env.build_get(provider=SHARED, operator=TWO), env.get_pair(TWO))).status == 200
    answer = await env.call(env.build_get(provider=SHARED, operator=TWO), env.get_pair(TWO))
    assert (answer.status, answer.rsp_code, answer.headers["retry-after"]) == (429, "42901", "100")
    assert (env.exchanges[-1].reason, len(env.institutions[SHARED].received)) == ("provider_rate", 3)
    assert (await env.call()).status == 200


async def test_calls_refused_for_other_reasons_use_no_rate(env):
    for _ in range(5):
        await env.call(env.build_get(query={"limit": "0"}))
    assert [(await env.call()).status for _ in range(3)] == [200, 200, 429]


@pytest_asyncio.fixture(loop_scope="module")
async def occupied(env):
    """The connections of an operator, each with a call in progress. `release` ends the calls."""
    opened, release = [await env.connect() for _ in range(3)], asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    codes = (OTHER, SHARED, FREE)
    for code, connection in zip(codes, opened, strict=True):
        env.institutions[code].script = wait_for_release
        connection.send(env.build_get(provider=code))
        await until(lambda code=code: env.institutions[code].received, "a call in progress")
    yield opened
    release.set()
    for code in codes:
        env.institutions[code].script = answers_well
    for connection in opened:
        connection.abort()
    await until(lambda: not env.relay.connection_registry.connections, "no connection being left")


async def test_a_connection_over_the_limit_gets_42901(env, occupied):
    async with await env.connect() as excess:
        answer = await excess.call(env.build_get())
        assert (answer.status, answer.rsp_code) == (429, "42901")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["connection"] == "close"
        assert await excess.is_closed()
    refused = env.exchanges[-1]
    assert (refused.reason, len(env.bank.received)) == ("connections_exceeded", 0)
    assert (refused.api_code, refused.provider, refused.operator) == ("BA01", BANK, ONE)
    async with await env.connect(env.get_pair(TWO)) as other:
        assert (await other.call(env.build_get(operator=TWO))).status == 200
    occupied.pop().abort()
    await until(lambda: len(env.relay.connection_registry.connections) == len(occupied), "a free place")
    assert (await env.call()).status == 200


async def test_an_idle_connection_gives_way_to_a_new_one(env):
    opened = [await env.connect() for _ in range(3)]
    assert (await opened[1].call(env.build_get())).status == 200
    async with await env.connect() as new:
        assert (await new.call(env.build_get())).status == 200
    assert await opened[1].is_closed()
    for connection in opened:
        connection.abort()
    await until(lambda: not env.relay.connection_registry.connections, "no connection being left")


async def test_a_flood_of_refused_calls_ends_with_42901_and_close(env):
    async with await env.connect() as connection:
        for _ in range(1000):
            connection.send(env.build_get("/v1/bank/nothing"))
        answers = [await connection.read_answer() for _ in range(13)]
        assert [answer.rsp_code for answer in answers] == ["40401"] * 12 + ["42901"]
        assert (answers[-1].headers["connection"], answers[-1].headers["retry-after"]) == ("close", "100")
        assert await connection.is_closed()
    assert [exchange.reason for exchange in env.exchanges[-2:]] == ["endpoint_unknown", "refusals_exceeded"]
    assert (await env.call()).status == 200


def hold_connection(port, context, request=b""):
    """Connects over TLS, sends the request if any, and ignores the relay's close. Returns the open socket."""
    wire = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    if request:
        wire.sendall(request)
        assert wire.recv(12) == b"HTTP/1.1 429"
    return wire


@pytest.mark.parametrize("calls", [True, False])
async def test_a_refused_connection_closes_without_its_peer(env, occupied, calls):
    rejected, connections = env.relay.connection_registry.rejected, env.relay.connection_registry.connections
    before = rejected["connections_exceeded"]
    context, port = env.context(env.get_pair("ZOPA000001")), env.process.ports[0]
    request = env.build_get() if calls else b""
    with await asyncio.to_thread(hold_connection, port, context, request):
        await until(lambda: rejected["connections_exceeded"] == before + 1, "the refusal")
        await until(lambda: len(connections) == len(occupied), "the end of the excess connection")


async def test_unused_connections_are_closed_after_head_s(env):
    context, port = env.context(env.get_pair("ZOPA000001")), env.process.ports[0]
    idle = [await asyncio.to_thread(hold_connection, port, context) for _ in range(3)]
    await until(lambda: not env.relay.connection_registry.connections, "the end of unused connections")
    assert (await env.call()).status == 200
    for wire in idle:
        wire.close()


async def test_refused_connections_count_against_no_limit(env, occupied):
    beyond = [await env.connect() for _ in range(20)]
    occupied.pop().abort()
    await until(
        lambda: sum(not peer.info.is_excess for peer in env.relay.connection_registry.connections) == 2, "a free slot"
    )
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
    for connection in beyond:
        connection.abort()


async def test_a_busy_institution_queues_one_call_and_refuses_the_next(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    busy, opened = env.institutions[BUSY], []
    busy.script = wait_for_release
    for number, operator in enumerate(("ZOPA000001", "ZOPA000001", TWO)):
        opened.append(await env.connect(env.get_pair(operator)))
        opened[-1].send(env.build_get(provider=BUSY, operator=operator))
        if number < 2:
            await until(lambda wanted=number + 1: sum(env.pool(BUSY).counts().values()) == wanted, "a call")
    answer = await opened[2].read_answer()
    assert (answer.status, answer.rsp_code, env.exchanges[-1].reason) == (500, "50005", "provider_busy")
    assert (await opened[2].call(env.build_get(provider=FREE, operator=TWO))).status == 200
    await until(lambda: len(busy.received) == 1, "the first call")
    release.set()
    answers = [await connection.read_answer() for connection in opened[:2]]
    assert [answer.json()["asked"] for answer in answers] == [call.tran_id for call in busy.received]
    assert (len(busy.received), busy.connections) == (2, 1)
    for connection in opened:
        connection.abort()


async def test_too_many_handshakes_of_an_address_are_closed_before_tls(env):
    limits, rejected, port = env.relay.handshakes, env.relay.connection_registry.rejected, env.process.ports[0]
    limits.adjust(Bucket.of(Rate(per_second=0.01, burst=5)))
    callers = [await asyncio.open_connection("127.0.0.1", port, local_addr=(FLOODING_ADDRESS, 0)) for _ in range(8)]
    await until(lambda: rejected["handshakes_exceeded"] == 3, "three refusals")
    for reader, _ in callers[5:]:
        assert await reader.read() == b""
    assert (await env.call()).status == 200
    limits.adjust(Bucket.of(Rate(per_second=100000, burst=100000)))
    for _, writer in callers:
        writer.transport.abort()
