"""Broken telegrams over real lines: each call ends with the exact fault, and the next call with its own data."""

import asyncio

import pytest
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.gateway_environment import BANK, CARD
from fixtures.institution import Institution
from fixtures.telegram_core import TelegramCore, answer_nothing, answer_well
from fixtures.waiting import until

ENVIRONMENT_CLASS = AdapterEnvironment
OTHER = "999888777666"
"""The account of another customer."""

ACCOUNT = "110200300400"
FUND = {"currency_code": "KRW", "balance_amt": "4711", "eval_amt": "110", "inv_principal": "90", "fund_num": "98.789"}
PRIVATE = (ACCOUNT, OTHER, "4711", "비밀메모")
DETAIL = "/v1/bank/accounts/invest/detail"
HEAD = 102


def ENVIRONMENT(_):  # noqa: N802 - read by conftest
    timeouts = {"connect_s": 1, "first_byte_s": 4, "total_s": 5}
    return [TelegramCore(BANK, core={"answer_s": 1.5}, timeouts=timeouts), Institution(CARD, "card")], {}


pytestmark = pytest.mark.asyncio(loop_scope="module")


def send(change):
    """Returns a script that sends a changed response."""

    async def answer(request, core):
        request.wire.send(change(core.build_response(request, FUND)))

    return answer


def resize(data):
    return b"%06d" % (len(data) - 6) + data[6:]


def put(offset, data):
    return lambda telegram: telegram[:offset] + data + telegram[offset + len(data) :]


def number_of_another_call(telegram):
    return telegram[:41] + b"%012d" % (int(telegram[41:53]) + 1) + telegram[53:]


async def close_within(request, core):
    request.wire.send(core.build_response(request, FUND)[:110])
    request.wire.writer.close()


async def close_before(request, core):
    request.wire.writer.close()


async def reset_within(request, core):
    request.wire.send(core.build_response(request, FUND)[:40])
    await request.wire.writer.drain()
    request.wire.reset()


async def trickle(request, core):
    for byte in core.build_response(request, FUND)[:-1]:
        if request.wire.writer.is_closing():
            return
        request.wire.send(bytes([byte]))
        await asyncio.sleep(0.02)


async def answer_for_another_account(request, core):
    request.wire.send(core.build_response(request, FUND, account=OTHER))


async def answer_with_another_layout(request, core):
    other = core.build_response(request, FUND)
    request.wire.send(resize(other[:10] + b"A011" + other[14:130]))


CASES = {
    "nothing": (answer_nothing, "50003", "provider_silent", "response"),
    "announced bytes do not come": (send(put(0, b"000400")), "50003", "provider_silent", "response"),
    "one byte at a time": (trickle, "50003", "provider_silent", "response"),
    "number of another call": (send(number_of_another_call), "50003", "provider_silent", "response"),
    "blank number": (send(put(41, b" " * 12)), "50003", "provider_silent", "response"),
    "closed before the response": (close_before, "50005", "provider_reset", "closed"),
    "closed within the response": (close_within, "50005", "provider_reset", "closed_within_telegram"),
    "reset within the response": (reset_within, "50005", "provider_reset", "closed_within_telegram"),
    "garbage": (send(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n"), "50007", "conversion_failed", "frame: offset 0"),
    "garbage before the response": (send(lambda data: b"??" + data), "50007", "conversion_failed", "6 digits"),
    "length of 1 GB": (send(put(0, b"999999")), "50007", "conversion_failed", "a telegram of 102 to 65536 bytes"),
    "length below the header": (send(put(0, b"000010")), "50007", "conversion_failed", "frame: offset 0: length"),
    "header that cannot be read": (send(put(6, b"02X0")), "50007", "conversion_failed", "offset 6: msg_type"),
    "request instead of a response": (send(put(6, b"0200")), "50007", "conversion_failed", "BA12 response: offset 6"),
    "response of another API": (answer_with_another_layout, "50007", "conversion_failed", "offset 10: tran_code"),
    "another bank": (send(put(14, b"098")), "50007", "conversion_failed", "offset 14: bank_code"),
    "account of another customer": (
        answer_for_another_account, "50007", "conversion_failed", "offset 102: account_num"),
    "short": (send(lambda data: resize(data[:150])), "50007", "conversion_failed", "BA12 response: offset"),
    "long": (send(lambda data: resize(data + b"  ")), "50007", "conversion_failed", "the end of the telegram"),
    "header alone": (send(lambda data: resize(data[:HEAD])), "50007", "conversion_failed", "offset 102: account_num"),
    "bad digits": (send(put(HEAD + 26, b"0x0")), "50007", "conversion_failed", "digits"),
    "half a syllable": (send(put(96, b"\xb1")), "50007", "conversion_failed", "offset 96: resp_msg"),
    "unknown response code": (send(put(53, b"7777")), "50005", "code_unknown", "resp_code: 7777"),
}  # fmt: skip
"""Name -> script of the core, rsp_code, fault, part of the detail."""


def build_call(env):
    return env.build_post(DETAIL, {"account_num": ACCOUNT, "seqno": "001"})


async def assert_answered(env):
    """Makes a call that the core answers well."""
    env.bank.script = answer_well
    env.bank.values["A012"] = FUND
    await until(lambda: env.adapter.state.lines[BANK][1].open_lines, "a line")
    answer = await env.call(build_call(env))
    assert (answer.rsp_code, answer.json().get("balance_amt")) == ("00000", "4711")


@pytest.mark.parametrize("name", CASES)
async def test_a_broken_telegram_ends_its_call_alone(env, name, caplog):
    script, rsp_code, reason, detail = CASES[name]
    env.bank.script = script
    answer = await env.call(build_call(env))
    assert (answer.status, answer.rsp_code) == (500, rsp_code)
    exchange = await env.get_exchange()
    assert exchange.reason == reason
    assert detail in exchange.detail
    await assert_answered(env)
    said = [exchange.detail, answer.body.decode(), caplog.text]
    assert not [value for value in PRIVATE for text in said if value in text]


async def test_a_late_response_reaches_no_other_call(env):
    late = []

    async def keep(request, core):
        late.append((request, core.build_response(request, FUND | {"balance_amt": "1"})))

    env.bank.script = keep
    assert (await env.call(build_call(env))).rsp_code == "50003"
    (request, response), *_ = late
    request.wire.send(response)
    await assert_answered(env)


async def test_a_doubled_response_reaches_no_other_call(env):
    async def answer(request, core):
        response = core.build_response(request, FUND | {"balance_amt": str(len(core.received))})
        request.wire.send(response + response)

    env.bank.script = answer
    answers = [await env.call(build_call(env)) for _ in range(3)]
    assert [answer.json()["balance_amt"] for answer in answers] == ["1", "2", "3"]


async def test_a_response_before_the_own_one_is_dropped(env):
    async def answer(request, core):
        response = core.build_response(request, FUND)
        request.wire.send(number_of_another_call(response) + response)

    env.bank.script = answer
    assert (await env.call(build_call(env))).json()["balance_amt"] == "4711"


async def test_garbage_after_a_response_costs_the_line_alone(env):
    env.bank.script = send(lambda data: data + b"??????")
    assert (await env.call(build_call(env))).rsp_code == "00000"
    await assert_answered(env)


async def test_a_caller_that_leaves_costs_no_other_call_its_response(env):
    held = []

    async def hold(request, core):
        held.append((request, core.build_response(request, FUND | {"balance_amt": "1"})))

    env.bank.script = hold
    async with await env.connect() as connection:
        connection.send(build_call(env))
        await until(lambda: held, "a request at the core")
    (request, response), *_ = held
    env.bank.script = answer_well
    env.bank.values["A012"] = FUND
    calling = asyncio.ensure_future(env.call(build_call(env)))
    request.wire.send(response)
    assert (await calling).json()["balance_amt"] == "4711"
