"""Connections to institutions: reused, closed early, announced as short-lived, unsolicited answers."""

import asyncio
import contextlib
import random
from collections import Counter

import pytest
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, TWO
from fixtures.institution import Institution, answers_well, build_body, build_response
from fixtures.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALF, SHORT, MANY = "ZBAA000002", "ZBAA000003", "ZBAA000004"
SERIAL_STRICT, SERIAL_LENIENT, UNNAMED = "ZBAA000005", "ZBAA000006", "ZBAA000007"
WIDE = "ZBAA000008"


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    bank = Institution(BANK, "bank", timeouts=LONG_TIMEOUTS, concurrency=8)
    half = Institution(HALF, "bank", spare_places=["http://127.0.0.1:1"])
    short = Institution(SHORT, "bank", timeouts=LONG_TIMEOUTS | {"idle_s": 0.05})
    many = Institution(MANY, "bank", timeouts=LONG_TIMEOUTS, concurrency=2, queue=20)
    serial = {"timeouts": LONG_TIMEOUTS, "concurrency": 1, "queue": 20}
    strict, lenient = (
        Institution(SERIAL_STRICT, "bank", **serial),
        Institution(SERIAL_LENIENT, "bank", checking="lenient", **serial),
    )
    wide = Institution(WIDE, "bank", timeouts=LONG_TIMEOUTS, concurrency=4, queue=4)
    return [bank, half, short, many, strict, lenient, wide, Institution(UNNAMED, "bank", checking="lenient")], {}


async def ask_many(env, calls, connections):
    """Makes `calls` calls over concurrent connections. Each answer must belong to its call."""
    pending = [env.build_get() for _ in range(calls)]
    answers = []

    async def call_until_done():
        async with await env.connect() as connection:
            while pending:
                data = pending.pop()
                answer = await connection.call(data)
                answers.append(answer.status)
                assert answer.json().get("asked", "").encode() in data

    await asyncio.gather(*(call_until_done() for _ in range(connections)))
    return Counter(answers)


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_no_call_is_lost_when_connections_close_between_calls(env, how):
    async def close_after_a_few(call, wire):
        await answers_well(call, wire)
        if wire.answers == call.connection % 5:
            getattr(wire, how)()

    env.bank.script = close_after_a_few
    assert await ask_many(env, 500, 8) == {200: 500}
    assert env.bank.connections > 100
    answered = Counter(call.tran_id for call in env.bank.received)
    assert (len(answered), set(answered.values())) == (500, {1})


async def test_no_call_is_lost_when_connections_close_at_random(env):
    chance, answered = random.Random(7), Counter()

    async def close_at_random(call, wire):
        if wire.answers and chance.random() < 0.3:
            wire.close()
            return
        answered[call.tran_id] += 1
        await answers_well(call, wire)

    env.bank.script = close_at_random
    assert await ask_many(env, 500, 8) == {200: 500}
    assert (len(answered), set(answered.values())) == (500, {1})
    attempts = Counter(exchange.attempts for exchange in env.exchanges)
    assert set(attempts) == {1, 2}
    assert attempts[1] + 2 * attempts[2] == len(env.bank.received)


async def close_on_second_call(env, how):
    """Answers the first call, closes the connection on the second, then restores the script."""
    assert (await env.call()).status == 200
    script = env.bank.script

    async def close_without_answer(_call, wire):
        env.bank.script = script
        getattr(wire, how)()

    env.bank.script = close_without_answer


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["build_get", "build_post"])
async def test_a_call_on_a_closed_reused_connection_is_retried(env, how, method):
    await close_on_second_call(env, how)
    assert (await env.call(getattr(env, method)())).status == 200
    assert [exchange.attempts for exchange in env.exchanges] == [1, 2]
    assert [call.connection for call in env.bank.received] == [1, 1, 2]
    assert env.bank.received[1].tran_id == env.bank.received[2].tran_id


async def test_a_call_on_a_new_connection_is_not_retried(env):
    async def close_without_answer(_call, wire):
        wire.close()

    assert (await env.call()).status == 200
    env.bank.script = close_without_answer
    answer = await env.call()
    assert (answer.status, answer.rsp_code, env.exchanges[-1].attempts) == (500, "50005", 2)
    assert (len(env.bank.received), env.bank.connections) == (3, 2)


async def test_a_call_is_not_retried_after_the_first_byte(env):
    async def send_one_byte(_call, wire):
        await wire.send(b"H")
        wire.close()

    assert (await env.call()).status == 200
    env.bank.script = send_one_byte
    assert (await env.call()).status == 500
    assert (env.exchanges[-1].reason, env.exchanges[-1].attempts) == ("provider_reset", 1)


async def test_a_connection_with_a_short_keep_alive_is_not_reused(env):
    async def announce_timeout(call, wire):
        await wire.send(build_response(build_body(call), "Keep-Alive: timeout=1, max=100", "Connection: keep-alive"))

    env.bank.script = announce_timeout
    assert [(await env.call()).status for _ in range(3)] == [200] * 3
    assert env.bank.connections == 3


async def test_a_connection_with_connection_close_is_not_reused(env):
    async def announce_close(call, wire):
        await wire.send(build_response(build_body(call), "Connection: Close"))

    env.bank.script = announce_close
    assert [(await env.call()).status for _ in range(3)] == [200] * 3
    assert env.bank.connections == 3


async def test_the_relay_closes_connections_that_are_idle_too_long(env):
    assert (await env.call(env.build_get(provider=SHORT))).status == 200
    await until(lambda: not env.institutions[SHORT].wires, "the relay closing the connection")
    assert env.pool(SHORT).counts()["idle"] == 0


async def test_an_unsolicited_answer_only_closes_its_connection(env):
    assert (await env.call()).status == 200
    (wire,) = env.bank.wires
    await wire.send(build_response(b'{"rsp_code":"00000","asked":"unsolicited"}'))
    await until(lambda: not env.pool().counts()["idle"], "the connection being closed")
    answer = await env.call()
    assert (answer.status, answer.json()["asked"]) == (200, env.bank.received[-1].tran_id)
    assert env.bank.connections == 2


async def test_a_second_answer_only_closes_its_connection(env):
    async def answer_twice(call, wire):
        await answers_well(call, wire)
        await until(lambda: env.exchanges, "the first answer being read")
        with contextlib.suppress(ConnectionError):
            await wire.send(build_response(b'{"rsp_code":"00000","asked":"unsolicited"}'))
            await wire.wait_closed()

    env.bank.script = answer_twice
    assert (await env.call()).status == 200
    await until(lambda: not env.bank.wires, "the connection being closed")
    env.bank.script = answers_well
    assert (await env.call()).json()["asked"] == env.bank.received[-1].tran_id


async def test_an_answer_to_another_call_is_dropped_with_its_connection(env):
    held = []

    async def answer_former_call(call, wire):
        held.append(build_response(build_body(call), f"x-api-tran-id: {call.tran_id}"))
        await wire.send(held[-2] if len(held) > 1 else held[-1])

    env.bank.script = answer_former_call
    assert (await env.call()).status == 200
    answer = await env.call()
    assert (answer.status, answer.rsp_code, env.exchanges[-1].reason) == (500, "50005", "provider_broken")
    env.bank.script = answers_well
    assert (await env.call()).json()["asked"] == env.bank.received[-1].tran_id
    assert env.bank.connections == 2


async def test_a_large_answer_to_another_call_is_dropped(env):
    async def answer_other_call(_call, wire):
        await wire.send(build_response(b"x" * 200_000, "x-api-tran-id: ZOPA000001M99999999999999"))

    env.bank.script = answer_other_call
    assert (await env.call()).rsp_code == "50005"
    await until(lambda: not env.bank.wires, "the connection being closed")


async def test_of_two_addresses_the_one_that_answers_is_used(env):
    half = env.institutions[HALF]
    assert [(await env.call(env.build_get(provider=HALF))).status for _ in range(4)] == [200] * 4
    half.reset()
    await until(lambda: not env.pool(HALF).counts()["idle"], "no idle connection")
    assert (await env.call(env.build_get(provider=HALF))).status == 200


def count_requests(pool):
    counts = pool.counts()
    return counts["flying"] + counts["waiting"]


async def test_queued_calls_are_sent_in_order_of_arrival(env):
    release, many = asyncio.Event(), env.institutions[MANY]

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    many.script = wait_for_release
    connections = [await env.connect() for _ in range(12)]
    for number, connection in enumerate(connections, 1):
        connection.send(env.build_get(provider=MANY))
        await until(lambda wanted=number: count_requests(env.pool(MANY)) == wanted, "a call")
    await until(lambda: len(many.received) == 2, "two calls")
    release.set()
    answers = [await connection.read_answer() for connection in connections]
    assert [answer.json()["asked"] for answer in answers] == sorted(call.tran_id for call in many.received)
    assert [call.tran_id for call in many.received[2:]] == sorted(call.tran_id for call in many.received[2:])
    assert many.connections == 2
    for connection in connections:
        connection.abort()


def build_unnamed(call):
    body = build_body(call)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(("provider", "statuses"), [(SERIAL_STRICT, [500] * 3), (SERIAL_LENIENT, [200] * 3)])
async def test_a_second_answer_never_reaches_a_queued_call(env, provider, statuses):
    """One call at a time, three are queued. The first is answered twice, without x-api-tran-id."""
    release, institution = asyncio.Event(), env.institutions[provider]

    async def answer_twice(call, wire):
        await release.wait()
        await wire.send(build_unnamed(call))
        if len(institution.received) == 1:
            await until(lambda: env.exchanges, "the first answer being read")
            with contextlib.suppress(ConnectionError):
                await wire.send(build_unnamed(call))

    institution.script = answer_twice
    connections = [await env.connect() for _ in range(3)]
    for number, connection in enumerate(connections, 1):
        connection.send(env.build_get(provider=provider))
        await until(lambda wanted=number: sum(env.pool(provider).counts().values()) == wanted, "a call")
    release.set()
    answers = [await connection.read_answer() for connection in connections]
    assert [answer.status for answer in answers] == statuses
    answered_calls = [answer.json().get("asked") for answer in answers]
    assert answered_calls == (
        [None] * 3 if provider == SERIAL_STRICT else [call.tran_id for call in institution.received]
    )
    assert (institution.connections, len(institution.received)) == (3, 3)
    for connection in connections:
        connection.abort()


async def test_an_unnamed_answer_on_a_reused_connection_is_50005(env):
    async def omit_tran_id(call, wire):
        await wire.send(build_unnamed(call))

    unnamed = env.institutions[UNNAMED]
    assert (await env.call(env.build_get(provider=UNNAMED))).status == 200
    unnamed.script = omit_tran_id
    answer = await env.call(env.build_get(provider=UNNAMED))
    assert (answer.status, env.exchanges[-1].reason) == (500, "answer_unidentified")
    for _ in range(2):
        assert (await env.call(env.build_get(provider=UNNAMED))).json()["asked"] == unnamed.received[-1].tran_id
    assert unnamed.connections == 3


async def test_an_operator_cannot_take_all_slots_of_an_institution(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        if call.tran_id.startswith("ZOPA000001"):
            await release.wait()
        await answers_well(call, wire)

    env.institutions[WIDE].script = wait_for_release
    connections = [await env.connect() for _ in range(6)]
    for connection in connections:
        connection.send(env.build_get(provider=WIDE))
    await until(lambda: sum(env.pool(WIDE).counts().values()) == 6, "six calls")
    assert (env.pool(WIDE).counts()["flying"], env.pool(WIDE).counts()["waiting"]) == (3, 3)
    async with await env.connect() as beyond:
        answer = await beyond.call(env.build_get(provider=WIDE))
        assert (answer.status, answer.rsp_code, env.exchanges[-1].reason) == (429, "42901", "operator_share")
    async with await env.connect(env.get_pair(TWO)) as connection:
        assert (await connection.call(env.build_get(provider=WIDE, operator=TWO))).status == 200
    release.set()
    assert [(await connection.read_answer()).status for connection in connections] == [200] * 6
    for connection in connections:
        connection.abort()
