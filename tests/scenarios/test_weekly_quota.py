"""Scheduled transfers are made once a week: at two gateways, in pages, after failures and after a kill."""

import asyncio
import json
import time

import pytest
import pytest_asyncio
from fixtures.caller import Connection
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, ONE, GatewayEnvironment, build_settings
from fixtures.institution import Institution, answers_well, build_response
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import START_S, until

from relay.domain.korea import DAY_S, WEEK_S, date_in_korea
from relay.runtime.processes.gateway import GatewayProcess

TRANSACTIONS = "/v1/bank/accounts/deposit/transactions"
RATES = {"rates": {"weekly": True}}
ROWS = [{"trans_dtime": "20270101", "trans_memo": "x" * 100}] * 20_000
LARGE = build_response(json.dumps({"rsp_code": "00000", "trans_list": ROWS}).encode())
"""A response of 2.9 MB."""


def answer_pages(count):
    """Returns a script that answers the pages of a transfer: `next_page` is the number of the next one."""

    async def answer(call, wire):
        page = int(json.loads(call.body).get("next_page", "1"))
        cursor = {"next_page": str(page + 1)} if page < count else {}
        await wire.send(build_response(json.dumps({"rsp_code": "00000", "rsp_msg": "ok", **cursor}).encode()))

    return answer


async def answer_large(_call, wire):
    await wire.send(LARGE)


async def answer_half(_call, wire):
    await wire.send(LARGE[: len(LARGE) // 2])
    wire.reset()


async def answer_unchanged(_call, wire):
    await wire.send(build_response(b'{"rsp_code":"00001","rsp_msg":"x"}'))


async def answer_failure(_call, wire):
    await wire.send(build_response(b'{"rsp_code":"50001","rsp_msg":"x"}', status="500 Internal Server Error"))


class TwoGateways(GatewayEnvironment):
    """Two gateways with one ledger."""

    async def open(self):
        await super().open()
        second = build_settings(self.certificates, **self.sections)
        second |= {"access_log": {"path": "access2.log"}, "statistics": {"spool": "spool2"}}
        self.write_file("relay2.yaml", second)
        self.second = GatewayProcess(self.folder / "relay2.yaml")
        self._run_second = asyncio.get_running_loop().create_task(self.second.run())
        await until(lambda: self.second.ports or self._run_second.done(), "listening", START_S)
        self.second.relay.delivery.take = self.ledger_writer.take_batch

    async def close(self):
        self.second.stop()
        self.second.stop()
        await self._run_second
        await super().close()

    @property
    def gateways(self):
        return (self.process, self.second)

    async def wait_shared(self, count):
        """Waits until both gateways know so many digests, and the ledger too."""

        def read_gauges():
            return [process.relay.transfers.gauges() for process in self.gateways]

        expected = {"relay_transfers_known": count, "relay_transfers_waiting": 0, "relay_transfers_lost": 0}
        await until(lambda: read_gauges() == [expected] * 2, f"{count} shared digests")

    async def call_at(self, index, data=None):
        context = self.context(self.get_pair(ONE))
        async with await Connection.open(self.gateways[index].ports[0], context) as connection:
            return await connection.call(data or self.build_scheduled())

    def build_scheduled(self, **values):
        return build_scheduled(self, **values)


def build_scheduled(env, **values):
    yesterday = f"{date_in_korea(time.time() - DAY_S):%Y%m%d}"
    period = {"from_date": yesterday, "to_date": yesterday, "limit": "10"}
    return env.build_post(TRANSACTIONS, period | values, x_api_type="scheduled")


@pytest_asyncio.fixture
async def env(tmp_path, certificates):
    institutions = [Institution(BANK, "bank", timeouts=LONG_TIMEOUTS, checking="lenient")]
    env = TwoGateways(tmp_path, certificates, institutions, **RATES)
    try:
        await env.open()
        env.tokens.get_valid(ONE, BANK, "bank")
        yield env
    finally:
        await env.close()


async def test_a_transfer_at_one_gateway_is_refused_at_both(env):
    assert (await env.call_at(0)).status == 200
    await env.wait_shared(1)
    for index in (0, 1):
        answer = await env.call_at(index)
        assert (answer.status, answer.rsp_code) == (429, "42901")
        assert 0 < int(answer.headers["retry-after"]) <= WEEK_S
    assert env.exchanges[-1].reason == "weekly_quota"
    assert len(env.bank.received) == 1


async def test_another_asset_api_or_kind_of_call_is_not_affected(env):
    assert (await env.call_at(0)).status == 200
    others = [env.build_scheduled(account_num="999"), env.build_scheduled(seqno="1")]
    others += [env.build_post(x_api_type="scheduled"), env.build_get(x_api_type="scheduled"), env.build_post()]
    assert [(await env.call_at(0, call)).status for call in others] == [200] * 5
    assert (await env.call_at(0)).status == 429


async def test_pages_through_two_gateways_are_one_transfer(env):
    env.bank.script = answer_pages(3)
    calls = [env.build_scheduled(**page) for page in ({}, {"next_page": "2"}, {"next_page": "2"}, {"next_page": "3"})]
    answers = [await env.call_at(number % 2, call) for number, call in enumerate(calls)]
    assert [answer.json().get("next_page") for answer in answers] == ["2", "3", "3", None]
    await env.wait_shared(2)
    refused = [await env.call_at(index, call) for index in (0, 1) for call in (calls[0], calls[3])]
    assert [answer.status for answer in refused] == [429] * 4


async def test_a_transfer_is_repeated_until_one_success(env):
    for script, code in ((answer_failure, "50001"), (answer_unchanged, "00001"), (answers_well, "00000")):
        env.bank.script = script
        assert (await env.call_at(0)).rsp_code == code
    assert (await env.call_at(0)).rsp_code == "42901"


async def test_a_response_that_breaks_off_makes_no_transfer(env):
    env.bank.script = answer_half
    with pytest.raises(asyncio.IncompleteReadError):
        await env.call_at(0)
    env.bank.script = answers_well
    assert (await env.call_at(0)).status == 200


async def test_an_operator_that_aborts_may_repeat_the_call(env):
    env.bank.script = answer_large
    async with await env.connect(narrow=True) as connection:
        connection.send(env.build_scheduled())
        await connection.reader.readuntil(b"\r\n\r\n")
        connection.abort()
    await until(lambda: env.exchanges, "the end of the call")
    assert env.exchanges[-1].reason == "operator_gone"
    assert [(await env.call_at(0)).status for _ in range(2)] == [200, 429]


async def test_a_response_on_a_closing_connection_is_a_transfer(env):
    call = env.build_scheduled().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    assert [(await env.call_at(0, call)).status for _ in range(2)] == [200, 429]


async def test_digests_outlive_a_killed_gateway(tmp_path, certificates, pytestconfig):
    env = ProcessEnvironment(tmp_path, certificates, [Institution(BANK, "bank", checking="lenient")], **RATES)
    env.root = pytestconfig.rootpath
    env.bank.script = answer_pages(2)

    def count_digests():
        _, rows = env.ledger_writer.run(env.ledger_writer.ledger.transfers.list_after(0, 0))
        return sum(len(digests) for _, digests in rows) // 16

    async def call(**values):
        async with await env.connect() as connection:
            return (await connection.call(build_scheduled(env, **values))).status

    async def restart(digests):
        await until(lambda: count_digests() == digests, f"{digests} digests in the ledger")
        env.child.kill()
        await env.wait_ended()
        await env.bank.stop()
        await env.open()

    try:
        await env.open()
        assert await call() == 200
        await restart(1)
        assert await call(next_page="2") == 200
        assert await call() == 429
        await restart(2)
        assert [await call(), await call(next_page="2"), await call(account_num="9")] == [429, 429, 200]
    finally:
        await env.close()
