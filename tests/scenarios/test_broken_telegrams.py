"""Broken telegrams over real lines: each call ends with the exact fault, and the next call with its own data."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.broken_telegrams import ACCOUNT, CASES, FUND, HARMLESS, OTHER, change_unique_number, send
from fixtures.gateway_environment import BANK, CARD
from fixtures.institution import Institution
from fixtures.telegram_core import TelegramCore, answer_well
from fixtures.waiting import until

from relay.standard.catalogue import load_catalogue

ENVIRONMENT_CLASS = AdapterEnvironment
APIS = {api.api_code: api for api in load_catalogue().iter_apis("bank")}
PRIVATE = (ACCOUNT, OTHER, "4711", "비밀메모", "3100000", "급여")


def ENVIRONMENT(_):  # noqa: N802 - read by conftest
    timeouts = {"connect_s": 1, "first_byte_s": 4, "total_s": 5}
    return [TelegramCore(BANK, core={"answer_s": 1.5}, timeouts=timeouts), Institution(CARD, "card")], {}


pytestmark = pytest.mark.asyncio(loop_scope="module")


def build_call(env, api_code="BA12"):
    """Builds a call about the account; the period is that of today."""
    api, today = APIS[api_code], datetime.now(UTC).date()
    if api.method == "GET":
        return env.build_get(api.path_for("bank"))
    values = {"account_num": ACCOUNT, "seqno": "001"}
    if api.period is not None:
        values |= {"from_date": f"{today - timedelta(days=20):%Y%m%d}", "to_date": f"{today:%Y%m%d}", "limit": "100"}
    return env.build_post(api.path_for("bank"), values)


async def assert_answered(env):
    """Makes a call that the core answers well."""
    env.bank.script = answer_well
    env.bank.values["A012"] = FUND
    await until(lambda: env.adapter.state.lines[BANK][1].open_lines, "a line")
    answer = await env.call(build_call(env))
    assert (answer.rsp_code, answer.json().get("balance_amt")) == ("00000", "4711")


async def test_the_table_has_at_least_40_kinds():
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
async def test_a_broken_telegram_ends_its_call_alone(env, name, caplog):
    case = CASES[name]
    env.bank.script = case.script
    answer = await env.call(build_call(env, case.api_code))
    exchange = await env.get_exchange()
    result = (answer.status, answer.rsp_code, exchange.reason, exchange.detail)
    assert result == (500, case.rsp_code, case.reason, case.detail)
    await assert_answered(env)
    texts = [exchange.detail, answer.body.decode(), caplog.text]
    assert not [value for value in PRIVATE for text in texts if value in text]


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_surrounds_a_response_costs_no_call(env, name):
    env.bank.script = HARMLESS[name]
    answer = await env.call(build_call(env))
    assert (answer.rsp_code, answer.json().get("balance_amt")) == ("00000", "4711")
    await assert_answered(env)


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
        request.wire.send(change_unique_number(response) + response)

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
