"""Lines of several cores at one adapter: a stuck core delays nobody else, and responses match by number."""

import asyncio
import ssl

import pytest
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.gateway_environment import BANK
from fixtures.telegram_core import TelegramCore, answer_nothing
from fixtures.waiting import until

ENVIRONMENT_CLASS = AdapterEnvironment
STUCK, SECURE = "ZBAC000009", "ZBAC000010"
FUND = {"currency_code": "KRW", "eval_amt": "110", "inv_principal": "90", "fund_num": "98.789"}
DETAIL = "/v1/bank/accounts/invest/detail"
TIMEOUTS = {"connect_s": 1, "first_byte_s": 6, "total_s": 7}
REQUESTS = 8
OF_ONE_OPERATOR = REQUESTS // 2
"""One operator leaves places to others."""


class SecureCore(TelegramCore):
    """A core behind TLS, with the name of its certificate."""

    host = "localhost"


def ENVIRONMENT(certificates):  # noqa: N802 - read by conftest
    pair = certificates.providers["bank"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.private_key)
    busy = TelegramCore(BANK, core={"requests": REQUESTS}, timeouts=TIMEOUTS)
    stuck = TelegramCore(STUCK, core={"answer_s": 3, "requests": REQUESTS}, timeouts=TIMEOUTS)
    secure = SecureCore(SECURE, context, timeouts=TIMEOUTS, link="tls", ca=str(certificates.ca))
    return [busy, stuck, secure], {}


pytestmark = pytest.mark.asyncio(loop_scope="module")


def build_call(env, provider=BANK, account="110200300400"):
    values = {"org_code": provider, "account_num": account, "seqno": "001"}
    return env.build_post(DETAIL, values, provider=provider)


async def answer_account(request, core):
    """Answers with the account as amount."""
    request.wire.send(core.build_response(request, FUND | {"balance_amt": request.account}))


async def call_all(env, accounts, provider=BANK):
    answers = await asyncio.gather(*(env.call(build_call(env, provider, account)) for account in accounts))
    return [answer.json().get("balance_amt") for answer in answers]


async def test_responses_in_another_order_reach_their_calls(env):
    held = []

    async def answer_reversed(request, core):
        held.append(request)
        if len(held) == OF_ONE_OPERATOR:
            for each in reversed(held):
                await answer_account(each, core)

    env.bank.script = answer_reversed
    accounts = [str(1000 + number) for number in range(OF_ONE_OPERATOR)]
    assert await call_all(env, accounts) == accounts
    assert len({request.wire.number for request in held}) == 1


async def test_calls_beyond_the_lines_wait_for_their_turn(env):
    env.bank.script = answer_account
    accounts = [str(2000 + number) for number in range(3 * REQUESTS)]
    assert await call_all(env, accounts) == accounts


async def test_a_stuck_core_delays_no_other_institution(env):
    stuck = env.institutions[STUCK]
    stuck.script, env.bank.script = answer_nothing, answer_account
    hanging = [asyncio.ensure_future(env.call(build_call(env, STUCK))) for _ in range(2 * REQUESTS)]
    await until(lambda: len(stuck.received) >= OF_ONE_OPERATOR, "requests at the stuck core")
    for number in range(50):
        assert await call_all(env, [str(number + 1)]) == [str(number + 1)]
    assert not any(call.done() for call in hanging)
    answers = await asyncio.gather(*hanging)
    assert {answer.rsp_code for answer in answers} <= {"50003", "50005"}


async def test_a_core_that_reads_nothing_delays_no_other_institution(env):
    stuck = env.institutions[STUCK]
    await until(lambda: stuck.wires, "a line of the stuck core")
    for wire in stuck.wires:
        wire.writer.transport.pause_reading()
    env.bank.script = answer_account
    hanging = asyncio.ensure_future(env.call(build_call(env, STUCK)))
    for number in range(20):
        assert await call_all(env, [str(number + 1)]) == [str(number + 1)]
    assert (await hanging).rsp_code in {"50003", "50005"}


async def test_lines_may_use_tls(env):
    secure = env.institutions[SECURE]
    secure.script = answer_account
    assert await call_all(env, ["42"], SECURE) == ["42"]
    (wire,) = secure.wires
    assert wire.writer.get_extra_info("cipher")


async def test_a_tls_line_is_opened_again(env):
    secure = env.institutions[SECURE]
    secure.script = answer_account
    (former,) = secure.wires
    former.reset()
    await until(lambda: secure.wires and former not in secure.wires, "another line")
    await until(lambda: env.adapter.state.lines[SECURE][1].open_lines, "an open line")
    assert await call_all(env, ["43"], SECURE) == ["43"]
