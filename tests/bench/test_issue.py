"""Tests of the token measurement: a real relay, few tokens; medians."""

import asyncio
import os
from dataclasses import replace
from types import SimpleNamespace

import issue
import pytest
from aiohttp import ClientSession, web
from harness.issuing import CASES, Bench, IssueFailed, Processes, Run
from rich.console import Console

RUN = Run("password", "sqlite", 100, 2.0, 10.0, 1.0, 0.0, 0.1, 0.0, 5.0, 9.0)


@pytest.mark.full
def test_every_kind_of_token_is_issued_and_measured():
    cores = os.sched_getaffinity(0)
    runs = asyncio.run(issue.measure("sqlite", 2, 1, Console(quiet=True)))
    assert [(run.case, run.tokens) for run in runs] == [(case, 2) for case in CASES]
    assert all(run.authority_ms > 0 and run.gateway_ms > 0 and run.ledger_ms == 0 for run in runs)
    assert os.sched_getaffinity(0) == cores


def test_runs_with_steal_time_count_only_when_all_have_it():
    disturbed = replace(RUN, authority_ms=99.0, steal=0.2)
    figures = issue.medians([RUN, disturbed])["sqlite"]["password"]
    assert (figures["authority_ms"], figures["rate"], figures["kept"], figures["total"]) == (10.0, 50.0, 1, 2)
    assert issue.medians([disturbed])["sqlite"]["password"]["authority_ms"] == 99.0


def test_the_table_has_a_row_for_every_ledger_and_token():
    runs = [replace(RUN, case=case, ledger=kind) for kind in issue.LEDGERS for case in CASES]
    assert issue.table_of(issue.medians(runs)).row_count == 6


async def test_a_refused_token_ends_the_benchmark(aiohttp_server):
    async def refuse(_):
        return web.json_response({"error": "invalid_grant"}, status=400)

    app = web.Application()
    app.router.add_post("/oauth/2.0/token", refuse)
    server = await aiohttp_server(app)
    async with ClientSession() as session:
        sandbox = SimpleNamespace(
            gateway=f"http://127.0.0.1:{server.port}",
            operators=[SimpleNamespace(org_code="ZOPA000001", client_ids=())],
            institutions={},
            certifiers=SimpleNamespace(pki=SimpleNamespace(customer=lambda _: None)),
        )
        bench = Bench(SimpleNamespace(environment=sandbox), "sqlite", Processes(0, 0, None), session)
        with pytest.raises(IssueFailed, match="refresh_token: 400 invalid_grant"):
            await bench.token({"grant_type": "refresh_token"})
