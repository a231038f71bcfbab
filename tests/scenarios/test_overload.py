"""A gateway process that is stopped again and again: its event loop lags as under too many calls."""

import asyncio
import re
import signal
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import read_records, until

STALL_S, RUN_S = 0.5, 0.01
OVERLOAD_S = 60.0
"""Longest wait for a change of the level, which takes up to 11 s on an idle machine."""

GATEWAY = {
    "listeners": [{"address": "127.0.0.1", "port": 0}],
    "timeouts": {"handshake_s": 20, "head_s": 20, "body_s": 20, "idle_s": 60},
}


@pytest_asyncio.fixture
async def env(tmp_path, certificates, pytestconfig):
    bank = Institution(BANK, "bank", timeouts=LONG_TIMEOUTS)
    env = ProcessEnvironment(tmp_path, certificates, [bank], gateway=GATEWAY, overload={"lag_s": 0.2})
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        yield env
    finally:
        await env.close()


@asynccontextmanager
async def stall(child):
    """Stops the process most of the time; lets it run at the end."""

    async def stop_repeatedly():
        while True:
            child.send_signal(signal.SIGSTOP)
            await asyncio.sleep(STALL_S)
            child.send_signal(signal.SIGCONT)
            await asyncio.sleep(RUN_S)

    stalls = asyncio.create_task(stop_repeatedly())
    try:
        yield
    finally:
        stalls.cancel()
        with suppress(asyncio.CancelledError):
            await stalls
        child.send_signal(signal.SIGCONT)


async def call_until(env, connection, status, **fields):
    """Calls until an answer has this status, and returns it."""
    async with asyncio.timeout(OVERLOAD_S):
        while True:
            answer = await connection.call(env.build_get(**fields))
            if answer.status == status:
                return answer


@pytest.mark.full
async def test_scheduled_transfers_are_refused_first_and_served_again(env):
    async with await env.connect() as scheduled, await env.connect() as on_demand:
        async with stall(env.child):
            refused = await call_until(env, scheduled, 429, x_api_type="scheduled")
            assert refused.rsp_code == "42901"
            assert int(refused.headers["retry-after"]) >= 5
            refused = await call_until(env, on_demand, 429)
            assert (refused.rsp_code, "retry-after" in refused.headers) == ("42901", True)
            assert (await env.admin("/healthz")).status == 200
            metrics = (await env.admin("/metrics")).body.decode()
            assert re.search(r"^relay_overload_level 2(\.0)?$", metrics, re.MULTILINE)
        assert (await call_until(env, scheduled, 200, x_api_type="scheduled")).rsp_code == "00000"
        assert (await on_demand.call(env.build_get())).status == 200
    await until(lambda: "overload ended: " in env.output, "the end in the log")
    assert "overload began, scheduled transfers are refused: lag_s=" in env.output
    records = await until(lambda: [each for each in read_records(env.log) if each["reason"]], "records")
    reasons = [record["reason"] for record in records]
    assert set(reasons) == {"overload_scheduled", "overload"}
    assert reasons[0] == "overload_scheduled"
    assert {record["client_id"] for record in records} == {"ZOPA000001SVC01"}
