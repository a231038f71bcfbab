"""Two gateways behind HAProxy are restarted one after the other: no call fails, none is sent or counted twice."""

import pytest
from fixtures.balanced_gateways import CONNECTIONS, BalancedGateways, SteadyLoad
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution
from fixtures.waiting import START_S, until


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


async def test_a_rolling_restart_fails_no_call_and_doubles_none(env, full_size):
    load = SteadyLoad(env, 300 if full_size else 40, new_every=10)
    for count, gateway in enumerate(env.gateways, 1):
        calls = count * (6000 if full_size else 60)
        await until(lambda calls=calls: len(load.tran_ids) + len(load.failures) >= calls, "calls", 4 * START_S)
        await gateway.restart()
    calls = 18_000 if full_size else 200
    await until(lambda: len(load.tran_ids) + len(load.failures) >= calls, "calls", 4 * START_S)
    await load.stop()
    assert load.failures == []
    received = env.count_received()
    assert set(received.values()) == {1}
    assert set(received) == set(load.tran_ids)
    await until(lambda: env.count_statistics() >= len(load.tran_ids), "statistics")
    assert env.count_statistics() == len(load.tran_ids)
    assert sum(gateway.count_records() for gateway in env.gateways) == len(load.tran_ids)
    assert all(gateway.count_records() > len(load.tran_ids) / 10 for gateway in env.gateways)
