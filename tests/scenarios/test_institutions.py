"""Lines to institutions: used again, closed under us, announced short-lived, spoken on unasked."""

import asyncio
import contextlib
import random
from collections import Counter

import pytest
from stage.institution import Institution, answers_well, body_for, whole
from stage.town import BANK, PATIENT, TWO
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALF, SHORT, MANY = "ZBAA000002", "ZBAA000003", "ZBAA000004"
ONE_STRICT, ONE_LENIENT, FORGETFUL = "ZBAA000005", "ZBAA000006", "ZBAA000007"
WIDE = "ZBAA000008"


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    bank = Institution(BANK, "bank", timeouts=PATIENT, concurrency=8)
    half = Institution(HALF, "bank", spare_places=["http://127.0.0.1:1"])
    short = Institution(SHORT, "bank", timeouts=PATIENT | {"idle_s": 0.05})
    many = Institution(MANY, "bank", timeouts=PATIENT, concurrency=2, queue=20)
    one = {"timeouts": PATIENT, "concurrency": 1, "queue": 20}
    strict, lenient = (
        Institution(ONE_STRICT, "bank", **one),
        Institution(ONE_LENIENT, "bank", checking="lenient", **one),
    )
    wide = Institution(WIDE, "bank", timeouts=PATIENT, concurrency=4, queue=4)
    return [bank, half, short, many, strict, lenient, wide, Institution(FORGETFUL, "bank", checking="lenient")], {}


async def ask_many(town, calls, lines):
    """Ask `calls` times over `lines` connections at once; every answer must be one's own."""
    datas = [town.get() for _ in range(calls)]
    answers = []

    async def one():
        async with await town.line() as line:
            while datas:
                data = datas.pop()
                answer = await line.ask(data)
                answers.append(answer.status)
                assert answer.json().get("asked", "").encode() in data

    await asyncio.gather(*(one() for _ in range(lines)))
    return Counter(answers)


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_no_call_is_lost_where_lines_close_after_a_few_answers(town, how):
    async def tires(asked, wire):
        await answers_well(asked, wire)
        if wire.answers == asked.connection % 5:
            getattr(wire, how)()

    town.bank.script = tires
    assert await ask_many(town, 500, 8) == {200: 500}
    assert town.bank.connections > 100
    answered = Counter(asked.tran_id for asked in town.bank.seen)
    assert (len(answered), set(answered.values())) == (500, {1})


async def test_no_call_is_lost_where_lines_close_at_random_when_the_next_call_comes(town):
    chance, answered = random.Random(7), Counter()

    async def moody(asked, wire):
        if wire.answers and chance.random() < 0.3:
            wire.close()
            return
        answered[asked.tran_id] += 1
        await answers_well(asked, wire)

    town.bank.script = moody
    assert await ask_many(town, 500, 8) == {200: 500}
    assert (len(answered), set(answered.values())) == (500, {1})
    attempts = Counter(exchange.attempts for exchange in town.exchanges)
    assert set(attempts) == {1, 2}
    assert attempts[1] + 2 * attempts[2] == len(town.bank.seen)


async def moody_once(town, how):
    """The first call is answered, the second finds its line closed, whatever comes then is up to `town`."""
    assert (await town.ask()).status == 200
    script = town.bank.script

    async def hangs_up(_asked, wire):
        town.bank.script = script
        getattr(wire, how)()

    town.bank.script = hangs_up


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_line_that_closes_when_the_call_comes_is_replaced(town, how, method):
    await moody_once(town, how)
    assert (await town.ask(getattr(town, method)())).status == 200
    assert [exchange.attempts for exchange in town.exchanges] == [1, 2]
    assert [asked.connection for asked in town.bank.seen] == [1, 1, 2]
    assert town.bank.seen[1].tran_id == town.bank.seen[2].tran_id


async def test_a_fresh_line_that_closes_is_not_tried_again(town):
    async def hangs_up(_asked, wire):
        wire.close()

    assert (await town.ask()).status == 200
    town.bank.script = hangs_up
    answer = await town.ask()
    assert (answer.status, answer.rsp_code, town.exchanges[-1].attempts) == (500, "50005", 2)
    assert (len(town.bank.seen), town.bank.connections) == (3, 2)


async def test_a_line_that_breaks_after_one_byte_is_not_tried_again(town):
    async def breaks(_asked, wire):
        await wire.send(b"H")
        wire.close()

    assert (await town.ask()).status == 200
    town.bank.script = breaks
    assert (await town.ask()).status == 500
    assert (town.exchanges[-1].reason, town.exchanges[-1].attempts) == ("provider_reset", 1)


async def test_a_line_announced_to_end_is_not_used_again(town):
    async def announces(asked, wire):
        await wire.send(whole(body_for(asked), "Keep-Alive: timeout=1, max=100", "Connection: keep-alive"))

    town.bank.script = announces
    assert [(await town.ask()).status for _ in range(3)] == [200] * 3
    assert town.bank.connections == 3


async def test_a_line_that_says_close_is_not_used_again(town):
    async def closes(asked, wire):
        await wire.send(whole(body_for(asked), "Connection: Close"))

    town.bank.script = closes
    assert [(await town.ask()).status for _ in range(3)] == [200] * 3
    assert town.bank.connections == 3


async def test_a_line_idle_too_long_is_closed_by_the_relay(town):
    assert (await town.ask(town.get(provider=SHORT))).status == 200
    await until(lambda: not town.institutions[SHORT].wires, "the relay hanging up")
    assert town.pool(SHORT).counts()["idle"] == 0


async def test_an_answer_before_any_question_costs_its_line_only(town):
    assert (await town.ask()).status == 200
    (wire,) = town.bank.wires
    await wire.send(whole(b'{"rsp_code":"00000","asked":"nobody"}'))
    await until(lambda: not town.pool().counts()["idle"], "the line being dropped")
    answer = await town.ask()
    assert (answer.status, answer.json()["asked"]) == (200, town.bank.seen[-1].tran_id)
    assert town.bank.connections == 2


async def test_a_second_answer_after_the_first_costs_its_line_only(town):
    async def twice(asked, wire):
        await answers_well(asked, wire)
        await until(lambda: town.exchanges, "the first being taken")
        with contextlib.suppress(ConnectionError):
            await wire.send(whole(b'{"rsp_code":"00000","asked":"nobody"}'))
            await wire.left()

    town.bank.script = twice
    assert (await town.ask()).status == 200
    await until(lambda: not town.bank.wires, "the line being dropped")
    town.bank.script = answers_well
    assert (await town.ask()).json()["asked"] == town.bank.seen[-1].tran_id


async def test_an_answer_that_names_another_call_goes_to_nobody_and_costs_its_line(town):
    held = []

    async def late(asked, wire):
        held.append(whole(body_for(asked), f"x-api-tran-id: {asked.tran_id}"))
        await wire.send(held[-2] if len(held) > 1 else held[-1])

    town.bank.script = late
    assert (await town.ask()).status == 200
    answer = await town.ask()
    assert (answer.status, answer.rsp_code, town.exchanges[-1].reason) == (500, "50005", "provider_broken")
    town.bank.script = answers_well
    assert (await town.ask()).json()["asked"] == town.bank.seen[-1].tran_id
    assert town.bank.connections == 2


async def test_a_large_answer_that_names_another_call_goes_to_nobody(town):
    async def other(_asked, wire):
        await wire.send(whole(b"x" * 200_000, "x-api-tran-id: ZOPA000001M99999999999999"))

    town.bank.script = other
    assert (await town.ask()).rsp_code == "50005"
    await until(lambda: not town.bank.wires, "the line being cut")


async def test_of_two_places_the_one_that_answers_serves(town):
    half = town.institutions[HALF]
    assert [(await town.ask(town.get(provider=HALF))).status for _ in range(4)] == [200] * 4
    half.forget()
    await until(lambda: not town.pool(HALF).counts()["idle"], "no idle line")
    assert (await town.ask(town.get(provider=HALF))).status == 200


async def test_calls_that_wait_go_in_the_order_they_came(town):
    release, many = asyncio.Event(), town.institutions[MANY]

    async def waits(asked, wire):
        await release.wait()
        await answers_well(asked, wire)

    many.script = waits
    lines = [await town.line() for _ in range(12)]
    for number, line in enumerate(lines, 1):
        line.send(town.get(provider=MANY))
        await until(lambda wanted=number: sum(town.pool(MANY).counts().values()) == wanted, "a call")
    await until(lambda: len(many.seen) == 2, "two calls")
    release.set()
    answers = [await line.answer() for line in lines]
    assert [answer.json()["asked"] for answer in answers] == sorted(asked.tran_id for asked in many.seen)
    assert [asked.tran_id for asked in many.seen[2:]] == sorted(asked.tran_id for asked in many.seen[2:])
    assert many.connections == 2
    for line in lines:
        line.hang_up()


def unnamed(asked):
    body = body_for(asked)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(("provider", "statuses"), [(ONE_STRICT, [500] * 3), (ONE_LENIENT, [200] * 3)])
async def test_a_second_answer_never_reaches_the_call_that_waits(town, provider, statuses):
    """One call at a time, three wait; the first is answered twice, in two segments, without a tran-id."""
    release, one = asyncio.Event(), town.institutions[provider]

    async def twice(asked, wire):
        await release.wait()
        await wire.send(unnamed(asked))
        if len(one.seen) == 1:
            await until(lambda: town.exchanges, "the first answer being taken")
            with contextlib.suppress(ConnectionError):
                await wire.send(unnamed(asked))

    one.script = twice
    lines = [await town.line() for _ in range(3)]
    for number, line in enumerate(lines, 1):
        line.send(town.get(provider=provider))
        await until(lambda wanted=number: sum(town.pool(provider).counts().values()) == wanted, "a call")
    release.set()
    answers = [await line.answer() for line in lines]
    assert [answer.status for answer in answers] == statuses
    told = [answer.json().get("asked") for answer in answers]
    assert told == ([None] * 3 if provider == ONE_STRICT else [asked.tran_id for asked in one.seen])
    assert (one.connections, len(one.seen)) == (3, 3)
    for line in lines:
        line.hang_up()


async def test_an_unnamed_answer_on_a_used_connection_costs_call_and_connection(town):
    async def forgets(asked, wire):
        await wire.send(unnamed(asked))

    forgetful = town.institutions[FORGETFUL]
    assert (await town.ask(town.get(provider=FORGETFUL))).status == 200
    forgetful.script = forgets
    answer = await town.ask(town.get(provider=FORGETFUL))
    assert (answer.status, town.exchanges[-1].reason) == (500, "answer_unidentified")
    for _ in range(2):
        assert (await town.ask(town.get(provider=FORGETFUL))).json()["asked"] == forgetful.seen[-1].tran_id
    assert forgetful.connections == 3


async def test_an_operator_leaves_places_at_an_institution_to_others(town):
    release = asyncio.Event()

    async def waits(asked, wire):
        if asked.tran_id.startswith("ZOPA000001"):
            await release.wait()
        await answers_well(asked, wire)

    town.institutions[WIDE].script = waits
    lines = [await town.line() for _ in range(6)]
    for line in lines:
        line.send(town.get(provider=WIDE))
    await until(lambda: sum(town.pool(WIDE).counts().values()) == 6, "six calls")
    assert (town.pool(WIDE).counts()["flying"], town.pool(WIDE).counts()["waiting"]) == (3, 3)
    async with await town.line() as beyond:
        answer = await beyond.ask(town.get(provider=WIDE))
        assert (answer.status, answer.rsp_code, town.exchanges[-1].reason) == (429, "42901", "operator_share")
    async with await town.line(town.pair_of(TWO)) as line:
        assert (await line.ask(town.get(provider=WIDE, operator=TWO))).status == 200
    release.set()
    assert [(await line.answer()).status for line in lines] == [200] * 6
    for line in lines:
        line.hang_up()
