"""Tests of the registry measurement: a real gateway and ledger, a load that sends nothing."""

import asyncio
import json
import sys
from dataclasses import replace

import directory
import pytest
from harness.load import Load
from rich.console import Console

from relay.domain.registry import OrgType
from relay.policy.call.parties import get_member_slots, iter_registry_operators

LOAD = Load(100, 0, 1.0, 100.0, 1.0, 2.0, 3.0, 3.5, 4.0, "")
UPSTREAM = """
import socket, sys, time
listeners = [socket.create_server(("127.0.0.1", int(each.partition(":")[0]))) for each in sys.argv[2:]]
while True:
    time.sleep(60)
"""
CALLS = f"""
print("ready", flush=True)
input()
print({json.dumps(json.dumps({name: getattr(LOAD, name) for name in Load.__slots__}))}, flush=True)
"""


@pytest.fixture
def programs(tmp_path):
    """Institutions that only listen, and a load that returns a fixed result."""
    paths = []
    for name, text in (("upstream", UPSTREAM), ("loadgen", CALLS)):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
        paths.append(str(path))
    return tuple(paths)


@pytest.mark.full
def test_a_real_gateway_reports_every_sync(programs, monkeypatch):
    monkeypatch.setattr(directory, "AHEAD_S", 0.0)
    monkeypatch.setenv("BENCH_PORTAL_SECRET", "unused")
    results = asyncio.run(directory.measure(20, 1, programs, Console(quiet=True)))
    assert [result.rows for result in results] == [0, 40, 1, 1, 40, 20, 1, 20]
    figures = [result.figures for result in results[1:]]
    operators = [each["operators"] for each in figures]
    assert operators == [22, 22, 22, 2, 4, 4, 2]  # with the caller and the portal
    assert all(each["read_ms"] > 0 and each["stall_ms"] >= 0 and each["busy_ms"] > 0 for each in figures)
    numbers = [each["number"] for each in figures]
    assert numbers == sorted(set(numbers))


def test_steps_have_the_changes_of_their_names():
    nothing, come, *_, institutions, change, go = directory.steps(100)
    assert (nothing.rows, come.rows, change.rows, go.rows) == (0, 200, 1, 100)
    registry = directory.RegistryChanges(institutions.organisations, {}, "", "")
    assert {each.org_type for each in registry.organisations.values()} == set(OrgType)
    assert len(get_member_slots(registry, directory.RELAY)) == 10
    operators = directory.RegistryChanges(come.organisations, come.services, "", "")
    assert sum(len(each.services) for each in iter_registry_operators(operators)) == 100


def test_the_table_shows_the_worst_of_all_rounds():
    figures = {"read_ms": 1.0, "compile_ms": 2.0, "stall_ms": 3.0, "busy_ms": 1.5, "collected_ms": 0.0}
    result = directory.StepResult("operators come", 2_000, figures, LOAD, 0.0)
    worse = replace(result, figures=figures | {"stall_ms": 9.0}, load=replace(LOAD, max_ms=44.0))
    table = directory.table_of([result, worse, directory.StepResult("nothing changes", 0, {}, LOAD, 0.0)])
    assert table.row_count == 2
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells == ["operators come", "2,000", "1.0", "2.0", "9.0", "1.5", "0.0", "3.0", "44.0"]
