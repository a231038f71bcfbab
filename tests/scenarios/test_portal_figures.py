"""Figures that decide fees survive a ledger that is away, a gateway that is killed, a portal that fails on Monday."""

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
from stage.cable import Cable
from stage.quarter import ONE, TWO, eventually, quarter_in
from stage.waiting import until

from relay.domain.statistics import SendingState
from relay.policy.response.conformance import find_violations
from relay.policy.statistics.report import TYPES
from relay.policy.statistics.weeks import korean_day, week_of
from relay.sandbox.figures import Figures
from relay.sandbox.portal_day import callers_of
from relay.sandbox.registered import now

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGO = timedelta(weeks=2)
"""So long ago the calls were made: their week's Monday is over, whatever day it is."""


async def counted(quarter):
    """How often the bank's accounts were asked for, as the ledger says."""
    lines = await quarter.ledger.statistics.counts("0", "9", quarter.bank.org_code)
    found = Counter()
    for line, count in lines:
        found[line.operator, line.type, line.success] += count
    return found


def spooled(quarter):
    """How many exchanges wait on the disk."""
    files = (quarter.street.folder / "spool").rglob("*.jsonl")
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()[1:]]
    return sum(count for line in lines for *_, count in line["counts"])


async def test_a_ledger_that_is_away_loses_no_call_and_no_count(tmp_path, postgresql):
    async with (
        Cable(postgresql.database()) as cable,
        quarter_in(tmp_path / "street", ledger=cable.url) as quarter,
        quarter.portal_up(),
        quarter.instance() as jobs,
        quarter.gateway_up(),
    ):
        assert (await jobs.run()).startswith("taken")
        await quarter.follows()
        assert await quarter.ask() == "00000"
        await cable.cut()
        assert [await quarter.ask() for _ in range(20)] == ["00000"] * 20
        await until(lambda: spooled(quarter) >= 20, "the spool")
        assert await quarter.ready() == []
        told = await quarter.figures()
        assert told["relay_statistics_waiting"] >= 20
        assert told["relay_statistics_failures"] >= 1
        assert [await quarter.ask() for _ in range(5)] == ["00000"] * 5
        await cable.mend()
        await eventually(lambda: all_of(quarter, 26), "all that was counted")
        await until(lambda: spooled(quarter) == 0, "an empty spool")
        quarter.registry.remove(ONE)
        assert (await jobs.run()).startswith("taken")
        await quarter.follows()
        assert await quarter.ask() == "40103"


async def all_of(quarter, wanted):
    return (await counted(quarter))[ONE, "2", True] == wanted


@asynccontextmanager
async def gateway_process(quarter):
    """The gateway as a process of its own, ready, to be killed."""
    serve = ("-m", "relay", "serve", "--role", "gateway", "--log-level", "error", "-c", str(quarter.settings))
    process = await asyncio.create_subprocess_exec(sys.executable, *serve)

    async def ready():
        try:
            return await quarter.ready() == []
        except ConnectionError:
            return False

    try:
        await eventually(ready, "a gateway", 20.0)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_what_a_killed_gateway_counted_while_the_ledger_took_nothing_is_brought_in_by_the_next(tmp_path):
    async with quarter_in(tmp_path / "street") as quarter:
        async with quarter.portal_up(), quarter.instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        async with gateway_process(quarter) as process:
            assert [await quarter.ask() for _ in range(3)] == ["00000"] * 3
            await eventually(lambda: all_of(quarter, 3), "the first three")
            with closing(sqlite3.connect(quarter.street.folder / "ledger.db", isolation_level=None)) as writer:
                writer.execute("begin immediate")
                assert [await quarter.ask() for _ in range(20)] == ["00000"] * 20
                await until(lambda: spooled(quarter) >= 20, "the spool")
                process.kill()
                await process.wait()
                writer.execute("rollback")
        assert await all_of(quarter, 3)
        async with quarter.gateway_up():
            await eventually(lambda: all_of(quarter, 23), "what the killed one left")
            await until(lambda: spooled(quarter) == 0, "an empty spool")
        assert await all_of(quarter, 23)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quarter(tmp_path_factory):
    """A quarter where all stands."""
    async with quarter_in(tmp_path_factory.mktemp("figures") / "street") as made, made.portal_up():
        async with made.instance() as jobs:
            assert (await jobs.run()).startswith("taken")
        async with made.authority_up(), made.gateway_up():
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(quarter):
    """What operators did and counted two weeks ago; the relay counted it on its own."""
    figures = Figures(lambda: now() - AGO)
    count = quarter.relay.tally.count

    def counted_then(closed):
        for exchange in closed:
            exchange.received -= AGO.total_seconds()
        count(closed)

    quarter.relay.tally.count = counted_then
    for operator, service, api_type, limit, times in DONE:
        for _ in range(times):
            rsp_code = await quarter.ask(operator, service=service, api_type=api_type, limit=limit)
            assert rsp_code == ("00000" if limit else "40001")
            about = (quarter.bank.org_code, f"{operator}{service}", "BA01")
            figures.answered(*about, ok=rsp_code == "00000", ms=1.0, scheduled=api_type == "scheduled")
    wanted = sum(times for *_, times in DONE)
    await eventually(lambda: in_all(quarter, wanted), "all that was counted")
    quarter.relay.tally.count = count
    return figures


DONE = [
    (ONE, "SVC01", "user-refresh", 10, 4),
    (ONE, "SVC01", "scheduled", 10, 2),
    (ONE, "SVC01", "user-refresh", 0, 1),
    (ONE, "SVC02", "user-search", 10, 3),
    (TWO, "SVC01", "user-consent", 10, 5),
]
"""Calls: the operator, its service, x-api-type, limit, how often. A limit of 0 is wrong: such a call fails."""


async def in_all(quarter, wanted):
    return (await counted(quarter)).total() == wanted


async def test_monday_comes_while_the_portal_fails_and_both_sides_agree_in_the_end(quarter, told):
    week = week_of(korean_day((now() - AGO).timestamp()))
    async with quarter.instance() as jobs:
        async with quarter.portal_away():
            assert "no connection" in await jobs.fails("statistics")
        quarter.portal.misbehave("지원-005", "error_500", 2)
        assert "지원-005: HTTP 500" in await jobs.fails("statistics")
        assert {one.state for one in await quarter.ledger.statistics.sendings(week)} == {SendingState.WAITING}
        quarter.portal.misbehave("지원-005", "reset")
        assert "sent" in await jobs.run("statistics")
    sendings = await quarter.ledger.statistics.sendings(week)
    assert {one.state for one in sendings} == {SendingState.ACCEPTED}
    assert len(sendings) == len(quarter.street.institutions) * len(TYPES)
    accepted = messages(quarter)
    assert all(body == same for bodies in accepted.values() for body in bodies for same in bodies[:1])
    assert accepted.keys() >= {(one.week, one.provider, one.type) for one in sendings}
    assert sum(map(len, accepted.values())) == len(accepted) + 1
    assert len(quarter.portal.desk.differences(week)) == 4  # operators have told nothing yet
    await operators_tell(quarter, told, week)
    assert quarter.portal.desk.differences(week) == []


def messages(quarter):
    """The 지원-005 that the portal took, by week, member and type."""
    found = defaultdict(list)
    for api_id, _, body in quarter.portal.desk.uploads:
        if api_id == "지원-005":
            found[body["inquiry_date"], body["org_code"], body["type"]].append(body)
    return found


async def operators_tell(quarter, figures, week):
    """지원-004 of every service and type."""
    for operator in quarter.street.operators:
        street = replace(quarter.street, operators=(operator,))
        async with callers_of(street, street.portal, quarter.catalogue, find_violations) as callers:
            for client_id in operator.client_ids:
                for kind in TYPES:
                    call, _ = await callers.operator.ask("지원-004", "", figures.body(client_id, kind, week))
                    assert call.ok, call.why


async def test_a_week_the_portal_asks_for_comes_again_by_itself(quarter, told):
    week = week_of(korean_day((now() - AGO).timestamp()))
    street = quarter.street
    callers_of_street = callers_of(street, street.portal, quarter.catalogue, find_violations)
    async with quarter.jobs_up(), callers_of_street as callers:
        bank = quarter.bank.org_code
        await eventually(lambda: accepted(quarter, week), "the week", 10.0)
        former = messages(quarter)[week, bank, "2"]
        asked = {"org_code": bank, "org_type": "03", "inquiry_date": week, "type": "0"}
        call, _ = await callers.portal.ask("지원-104", bank, asked)
        assert call.ok, call.why
        await until(lambda: len(messages(quarter)[week, bank, "2"]) > len(former), "the week again")
        assert messages(quarter)[week, bank, "2"][-1] == former[-1]


async def accepted(quarter, week):
    sendings = await quarter.ledger.statistics.sendings(week)
    return sendings and all(one.state is SendingState.ACCEPTED for one in sendings)
