"""Institutions with DNS names, some of which are never resolved."""

import asyncio

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, CARD, SHORT_TIMEOUTS, GatewayEnvironment
from fixtures.institution import Institution
from fixtures.waiting import until
from harness.name_server import NameServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG_RESOLVE = SHORT_TIMEOUTS | {"connect_s": 4.0, "total_s": 5.0}
UNRESOLVED = [f"ZHGA0000{number:02}" for number in range(10, 30)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names():
    server = NameServer()
    await server.start()
    asyncio.get_running_loop().name_servers = (server.place,)
    server.addresses = {"bank.test": ["127.0.0.1"], "card.test": ["127.0.0.1"]}
    server.silent = {f"{code}.test".lower() for code in UNRESOLVED}
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(names, tmp_path_factory, certificates):
    resolved = [Institution(BANK, "bank", host="bank.test"), Institution(CARD, "card", host="card.test")]
    unresolved = [Institution(code, "bank", host=f"{code}.test", timeouts=LONG_RESOLVE) for code in UNRESOLVED]
    env = GatewayEnvironment(tmp_path_factory.mktemp("env"), certificates, [*resolved, *unresolved])
    await env.open()
    yield env
    await env.close()


async def test_unanswered_dns_queries_delay_no_other_institution(env, names):
    calls = [asyncio.create_task(env.call(env.build_get(provider=code))) for code in UNRESOLVED]
    await until(lambda: set(names.asked) >= names.silent, "a query for every unresolved name")
    assert (await env.call(env.build_get())).status == 200
    assert not any(call.done() for call in calls)
    assert {(await call).rsp_code for call in calls} == {"50005"}
    assert {exchange.reason for exchange in env.exchanges if exchange.status == 500} == {"connect_timeout"}


async def test_a_name_that_fails_later_keeps_its_addresses(env, names):
    assert (await env.call(env.build_get())).status == 200
    names.silent = {*names.silent, "bank.test"}
    queries = names.asked["bank.test"]
    for _ in range(3):
        env.bank.reset()
        assert (await env.call(env.build_get())).status == 200
    assert names.asked["bank.test"] == queries
