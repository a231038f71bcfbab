"""Statistics, which decide fees, survive an unreachable ledger, a killed gateway and a failing portal."""

import asyncio
import json
import sqlite3
import sys
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from fixtures.database_proxy import DatabaseProxy
from fixtures.portal_environment import ONE, TWO, eventually, open_portal_environment
from fixtures.waiting import until
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.environment.portal_registration import now
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.parties import INSTITUTIONS
from mydata_sandbox.scenarios.support_apis import open_callers

from relay.domain.korea import day_in_korea
from relay.domain.statistics import SendingState
from relay.policy.statistics.report import TYPES
from relay.policy.statistics.weeks import week_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGO = timedelta(weeks=2)
"""The age of the calls: the Monday after their week is over, whatever day it is."""


async def read_counts(env):
    """Returns the ledger's counts of the bank by operator, type and success."""
    lines = await env.ledger.statistics.counts("0", "9", env.bank.org_code)
    counts = Counter()
    for line, count in lines:
        counts[line.operator, line.type, line.success] += count
    return counts


def count_spooled(env):
    """Returns the number of exchanges in the spool."""
    files = (env.sandbox.folder / "spool").rglob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()[1:]]
    return sum(count for line in lines for *_, count in line["counts"])


async def test_an_unreachable_ledger_loses_no_call_and_no_count(tmp_path, postgresql):
    async with (
        DatabaseProxy(postgresql.database()) as proxy,
        open_portal_environment(tmp_path / "env", ledger=proxy.url) as env,
        env.run_portal(),
        env.open_instance() as jobs,
        env.run_gateway(),
    ):
        assert (await jobs.run()).startswith("taken")
        await env.wait_for_registry()
        assert await env.call() == "00000"
        await proxy.stop()
        assert [await env.call() for _ in range(20)] == ["00000"] * 20
        await until(lambda: count_spooled(env) >= 20, "the spool")
        assert await env.find_missing() == []
        metrics = await env.read_metrics()
        assert metrics["relay_statistics_waiting"] >= 20
        assert metrics["relay_statistics_failures"] >= 1
        assert [await env.call() for _ in range(5)] == ["00000"] * 5
        await proxy.start()
        await eventually(lambda: are_all_counted(env, 26), "all counts")
        await until(lambda: count_spooled(env) == 0, "an empty spool")
        env.registry.remove(ONE)
        assert (await jobs.run()).startswith("taken")
        await env.wait_for_registry()
        assert await env.call() == "40103"


async def are_all_counted(env, wanted):
    return (await read_counts(env))[ONE, "2", True] == wanted


@asynccontextmanager
async def gateway_process(env):
    """Starts the gateway as its own process and waits until it is ready."""
    serve = ("-m", "relay", "serve", "--role", "gateway", "--log-level", "error", "-c", str(env.settings))
    process = await asyncio.create_subprocess_exec(sys.executable, *serve)

    async def is_ready():
        try:
            return await env.find_missing() == []
        except ConnectionError:
            return False

    try:
        await eventually(is_ready, "a gateway", 20.0)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_next_gateway_delivers_batches_spooled_by_a_killed_one(tmp_path):
    async with open_portal_environment(tmp_path / "env") as env:
        async with env.run_portal(), env.open_instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        async with gateway_process(env) as process:
            assert [await env.call() for _ in range(3)] == ["00000"] * 3
            await eventually(lambda: are_all_counted(env, 3), "the first three")
            with closing(sqlite3.connect(env.sandbox.folder / "ledger.db", isolation_level=None)) as writer:
                writer.execute("begin immediate")
                assert [await env.call() for _ in range(20)] == ["00000"] * 20
                await until(lambda: count_spooled(env) >= 20, "the spool")
                process.kill()
                await process.wait()
                writer.execute("rollback")
        assert await are_all_counted(env, 3)
        async with env.run_gateway():
            await eventually(lambda: are_all_counted(env, 23), "the spooled counts")
            await until(lambda: count_spooled(env) == 0, "an empty spool")
        assert await are_all_counted(env, 23)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def env(tmp_path_factory):
    """A running environment."""
    async with open_portal_environment(tmp_path_factory.mktemp("figures") / "env") as env, env.run_portal():
        async with env.open_instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        async with env.run_authority(), env.run_gateway():
            yield env


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def figures(env):
    """Makes the calls of two weeks ago. Returns the operators' own figures."""
    figures = Figures(lambda: now() - AGO)
    record = env.relay.gateway.record

    def record_two_weeks_ago(exchange):
        exchange.received -= AGO.total_seconds()
        record(exchange)

    env.relay.gateway.record = record_two_weeks_ago
    for operator, service, api_type, limit, times in CALLS:
        for _ in range(times):
            rsp_code = await env.call(operator, service=service, api_type=api_type, limit=limit)
            assert rsp_code == ("00000" if limit else "40001")
            about = (env.bank.org_code, f"{operator}{service}", "BA01")
            figures.count_call(*about, ok=rsp_code == "00000", ms=1.0, scheduled=api_type == "scheduled")
    wanted = sum(times for *_, times in CALLS)
    await eventually(lambda: is_total_counted(env, wanted), "all counts")
    env.relay.gateway.record = record
    return figures


CALLS = [
    (ONE, "SVC01", "user-refresh", 10, 4),
    (ONE, "SVC01", "scheduled", 10, 2),
    (ONE, "SVC01", "user-refresh", 0, 1),
    (ONE, "SVC02", "user-search", 10, 3),
    (TWO, "SVC01", "user-consent", 10, 5),
]
"""Calls: operator, service, x-api-type, limit, number of calls. A call with limit 0 fails."""


async def is_total_counted(env, wanted):
    return (await read_counts(env)).total() == wanted


async def test_statistics_are_sent_after_the_portal_recovers(env, figures):
    week = week_of(day_in_korea((now() - AGO).timestamp()))
    async with env.open_instance() as jobs:
        async with env.pause_portal():
            assert "no connection" in await jobs.run_failing("statistics")
        env.portal.plan_failure("지원-005", "error_500", 2)
        assert "지원-005: HTTP 500" in await jobs.run_failing("statistics")
        assert {sending.state for sending in await env.ledger.statistics.sendings(week)} == {SendingState.WAITING}
        env.portal.plan_failure("지원-005", "reset")
        assert "sent" in await jobs.run("statistics")
    sendings = await env.ledger.statistics.sendings(week)
    assert {sending.state for sending in sendings} == {SendingState.ACCEPTED}
    assert len(sendings) == len(INSTITUTIONS) * len(TYPES)
    accepted = list_accepted(env)
    assert all(body == same for bodies in accepted.values() for body in bodies for same in bodies[:1])
    assert accepted.keys() >= {(sending.week, sending.provider, sending.type) for sending in sendings}
    assert sum(map(len, accepted.values())) == len(accepted) + 1
    assert len(env.portal.service.differences(week)) == 4  # operators have sent nothing yet
    await send_operator_figures(env, figures, week)
    assert env.portal.service.differences(week) == []


def list_accepted(env):
    """Returns the bodies of 지원-005 that the portal accepted, by week, institution and type."""
    bodies = defaultdict(list)
    for api_id, _, body in env.portal.service.uploads:
        if api_id == "지원-005":
            bodies[body["inquiry_date"], body["org_code"], body["type"]].append(body)
    return bodies


async def send_operator_figures(env, figures, week):
    """Sends 지원-004 of every service and type."""
    for operator in env.sandbox.operators:
        sandbox = replace(env.sandbox, operators=(operator,))
        async with open_callers(sandbox, sandbox.portal, env.catalogue, find_strict_violations) as callers:
            for client_id in operator.client_ids:
                for kind in TYPES:
                    call, _ = await callers.operator.call("지원-004", "", figures.body(client_id, kind, week))
                    assert call.ok, call.why


async def test_a_week_requested_by_the_portal_is_sent_again(env, figures):
    week = week_of(day_in_korea((now() - AGO).timestamp()))
    sandbox = env.sandbox
    callers_context = open_callers(sandbox, sandbox.portal, env.catalogue, find_strict_violations)
    async with env.run_jobs(), callers_context as callers:
        bank = env.bank.org_code
        await eventually(lambda: is_week_accepted(env, week), "the week", 10.0)
        former = list_accepted(env)[week, bank, "2"]
        parameters = {"org_code": bank, "org_type": "03", "inquiry_date": week, "type": "0"}
        call, _ = await callers.portal.call("지원-104", bank, parameters)
        assert call.ok, call.why
        await until(lambda: len(list_accepted(env)[week, bank, "2"]) > len(former), "the week again")
        assert list_accepted(env)[week, bank, "2"][-1] == former[-1]


async def is_week_accepted(env, week):
    sendings = await env.ledger.statistics.sendings(week)
    return sendings and all(sending.state is SendingState.ACCEPTED for sending in sendings)
