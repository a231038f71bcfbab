"""Two gateways behind HAProxy are restarted one after the other: no call fails, none is sent or counted twice."""

import pytest
from fixtures.balanced_gateways import CONNECTIONS, BalancedGateways, SteadyLoad
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution
from fixtures.waiting import START_S, until

CALLS = 18_000


@pytest.fixture
async def env(tmp_path, certificates, pytestconfig):
    timeouts = LONG_TIMEOUTS | {"first_byte_s": 30, "total_s": 30}
    institution = Institution(BANK, "bank", timeouts=timeouts, concurrency=4 * CONNECTIONS)
    env = BalancedGateways(tmp_path, certificates, [institution])
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        yield env
    finally:
        await env.close()


async def wait_for_calls(load, count):
    await until(lambda: len(load.tran_ids) + len(load.failures) >= count, "calls", 6 * START_S)


@pytest.mark.full  # a minute of 300 calls a second; test_service_stop.py stops one relay under load
async def test_a_rolling_restart_fails_no_call_and_doubles_none(env):
    load = SteadyLoad(env, 300, new_every=10)
    for count, gateway in enumerate(env.gateways, 1):
        await wait_for_calls(load, count * CALLS / 3)
        await gateway.restart()
    await wait_for_calls(load, CALLS)
    await load.stop()
    calls = len(load.tran_ids)
    assert load.failures == []
    received = env.count_received()
    assert set(received.values()) == {1}
    assert set(received) == set(load.tran_ids)
    await until(lambda: env.count_statistics() >= calls, "statistics")
    assert env.count_statistics() == calls
    served = [gateway.count_records() for gateway in env.gateways]
    assert sum(served) == calls
    assert min(served) > calls / 10
