"""A savings bank that speaks telegrams alone answers the APIs of the standard through gateway and adapter."""

from datetime import UTC, datetime, timedelta

import pytest
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.gateway_environment import BANK, CARD, ONE, TWO
from fixtures.institution import Institution
from fixtures.savings_bank import CASES
from fixtures.telegram_core import TelegramCore, answer_nothing
from fixtures.waiting import until
from mydata_sandbox.checks.conformance import find_violations

from relay.standard.catalogue import load_catalogue

ENVIRONMENT_CLASS = AdapterEnvironment
APIS = {api.api_code: api for api in load_catalogue().iter_apis("bank")}
TRANSACTION = {
    "tran_date": "20260131", "tran_time": "101112", "trans_no": "12", "kind": "10", "trans_class": "급여",
    "currency_code": "KRW", "trans_amt": "3100000", "balance_amt": "1500", "trans_memo": "비밀메모",
}  # fmt: skip
FUND = {"currency_code": "KRW", "balance_amt": "100", "eval_amt": "110", "inv_principal": "90", "fund_num": "98.789"}


def ENVIRONMENT(_):  # noqa: N802 - read by conftest
    timeouts = {"connect_s": 1, "first_byte_s": 4, "total_s": 5}
    return [TelegramCore(BANK, timeouts=timeouts), Institution(CARD, "card")], {}


pytestmark = pytest.mark.asyncio(loop_scope="module")


def build_call(env, api_code, parameters=None, **fields):
    """Builds a call of an API with the parameters of its case; the period is that of today."""
    api = APIS[api_code]
    values = dict(CASES[api_code][0]) | (parameters or {})
    if "from_date" in values:
        today = datetime.now(UTC).date()
        values |= {"from_date": f"{today - timedelta(days=20):%Y%m%d}", "to_date": f"{today:%Y%m%d}"}
    path = api.path_for("bank")
    return env.build_get(path, values, **fields) if api.method == "GET" else env.build_post(path, values, **fields)


def build_rows(count, start=0):
    return [TRANSACTION | {"trans_no": str(start + index)} for index in range(count)]


@pytest.mark.parametrize("api_code", CASES)
async def test_an_api_of_banks_is_answered_by_telegrams(env, api_code):
    _, values, body = CASES[api_code]
    env.bank.values[APIS[api_code].api_code.replace("BA", "A0")] = values
    answer = await env.call(build_call(env, api_code))
    assert (answer.status, answer.json()) == (200, {"rsp_code": "00000", "rsp_msg": "성공", **body})
    assert find_violations(APIS[api_code], answer.json()) == []
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.detail, exchange.provider_status, exchange.attempts) == ("", "", 200, 1)


async def test_pages_of_a_list_continue_where_the_last_one_ended(env):
    rows = build_rows(7)

    async def answer(request, core):
        start = int(request.cut(241, 253) or 0)
        end = min(start + 3, len(rows))
        more = {"more": "Y", "next_date": "20260131", "next_no": str(end)} if end < len(rows) else {"more": "N"}
        request.wire.send(core.build_response(request, {**more, "trans_list": rows[start:end]}))

    env.bank.script = answer
    numbers, cursor = [], {}
    while True:
        answer = await env.call(build_call(env, "BA04", {"limit": "4"} | cursor))
        body = answer.json()
        numbers.append([int(row["trans_no"]) for row in body["trans_list"]])
        if "next_page" not in body:
            break
        cursor = {"next_page": body["next_page"]}
    assert numbers == [[0, 1, 2, 3], [4, 5, 6]]


async def test_a_cursor_of_another_customer_is_refused_with_its_name(env):
    env.bank.values["A004"] = {"more": "Y", "next_date": "20260131", "next_no": "3", "trans_list": build_rows(3)}
    body = (await env.call(build_call(env, "BA04", {"limit": "3"}))).json()
    data = build_call(env, "BA04", {"limit": "3", "next_page": body["next_page"]}, operator=TWO)
    answer = await env.call(data, env.get_pair(TWO))
    assert (answer.status, answer.rsp_code) == (400, "40001")
    assert answer.json()["rsp_msg"].endswith(": next_page (같은 조회의 이전 응답에 있는 값)")
    refused = await until(lambda: env.exchanges[1:], "the record")
    assert (refused[0].reason, refused[0].detail) == (
        "parameter_malformed",
        "next_page (같은 조회의 이전 응답에 있는 값)",
    )


@pytest.mark.parametrize(
    ("code", "status", "rsp_code", "reason", "detail"),
    [
        ("1001", 404, "40402", "", ""),
        ("9001", 500, "50008", "", ""),
        ("7777", 500, "50005", "code_unknown", "resp_code: 7777"),
    ],
)
async def test_a_failure_of_the_core_has_its_rsp_code(env, code, status, rsp_code, reason, detail):
    async def answer(request, core):
        request.wire.send(core.build_response(request, {}, code))

    env.bank.script = answer
    received = await env.call(build_call(env, "BA12"))
    assert (received.status, received.rsp_code) == (status, rsp_code)
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.detail) == (reason, detail)


async def test_the_core_sees_the_values_of_the_call(env):
    env.bank.values["A001"] = CASES["BA01"][1]
    await env.call(build_call(env, "BA01"))
    (request,) = env.bank.received
    assert request.cut(17, 27) == BANK
    assert request.cut(102, 190) == env.tokens.customer(ONE, BANK, "bank")


async def test_a_line_is_started_and_its_test_is_answered(env):
    (wire,) = env.bank.wires
    (request, *_), _ = await call_once(env)
    test = request.data[:6] + b"0800" + request.data[10:102] + b"301" + b" " * 17
    wire.send(b"%06d" % (len(test) - 6) + test[6:])
    await until(lambda: ("0810", "301") in env.bank.management, "the answer to the line test")


async def call_once(env):
    env.bank.values["A012"] = FUND
    answer = await env.call(build_call(env, "BA12"))
    return env.bank.received, answer


async def test_fields_without_consent_are_removed_by_the_relay(env):
    assert env.relay.gateway.plan.institutions[BANK].withholds
    assert not env.relay.gateway.plan.institutions[CARD].withholds


async def test_a_core_that_is_away_is_50005_and_comes_back(env):
    await env.bank.stop()
    await until(lambda: not env.adapter.state.lines[BANK][1].open_lines, "no line")

    async def is_refused():
        answer = await env.call(build_call(env, "BA12"))
        return answer.rsp_code == "50005"

    assert await is_refused()
    exchange = env.exchanges[0]
    assert exchange.reason in {"connect_refused", "connect_reset"}
    await env.bank.open()
    lines = env.adapter.state.lines[BANK][1]
    await until(lambda: lines.open_lines, "a line")
    assert (await call_once(env))[1].rsp_code == "00000"


async def test_a_request_without_response_is_50003(env):
    env.bank.script = answer_nothing
    answer = await env.call(build_call(env, "BA12"))
    assert (answer.status, answer.rsp_code) == (500, "50003")
    assert (await env.get_exchange()).reason == "provider_silent"


async def test_an_adapter_that_is_away_is_50001_and_comes_back(env):
    await env.stop_adapter()
    answer = await env.call(build_call(env, "BA12"))
    assert (answer.status, answer.rsp_code) == (500, "50001")
    assert (await env.get_exchange()).reason == "adapter_unreachable"
    await env.start_roles()
    assert (await call_once(env))[1].rsp_code == "00000"
