"""What a changed registry costs: a real gateway and a real ledger, a load that only pretends; runs become figures."""

import asyncio
import json
import sys
from dataclasses import replace

import directory
import pytest
from rich.console import Console
from rig.load import Load

from relay.domain.registry import OrgType
from relay.policy.call.parties import operators_of, slots_of

LOAD = Load(100, 0, 1.0, 100.0, 1.0, 2.0, 3.0, 4.0, "")
UPSTREAM = """
import socket, sys, time
doors = [socket.create_server(("127.0.0.1", int(each.partition(":")[0]))) for each in sys.argv[2:]]
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
    """Institutions that only listen, and a load that only says it was there."""
    made = []
    for name, text in (("upstream", UPSTREAM), ("loadgen", CALLS)):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
        made.append(str(path))
    return tuple(made)


@pytest.mark.full
def test_every_sync_is_taken_by_a_real_gateway_and_told(programs, monkeypatch):
    monkeypatch.setattr(directory, "AHEAD_S", 0.0)
    monkeypatch.setenv("BENCH_PORTAL_SECRET", "nobody is asked")
    found = asyncio.run(directory.measured(20, 1, programs, Console(quiet=True)))
    assert [one.rows for one in found] == [0, 40, 1, 1, 40, 20, 1, 20]
    told = [one.told for one in found[1:]]
    assert [one["operators"] for one in told] == [22, 22, 22, 2, 4, 4, 2]  # the caller and the portal are always there
    assert all(one["read_ms"] > 0 and one["stall_ms"] >= 0 and one["busy_ms"] > 0 for one in told)
    numbers = [one["number"] for one in told]
    assert numbers == sorted(set(numbers))


def test_steps_bring_what_they_say():
    nothing, come, *_, institutions, one, go = directory.steps(100)
    assert (nothing.rows, come.rows, one.rows, go.rows) == (0, 200, 1, 100)
    registry = directory.RegistryChanges(institutions.organisations, {}, "", "")
    assert {each.org_type for each in registry.organisations.values()} == set(OrgType)
    assert len(slots_of(registry, directory.RELAY)) == 10
    operators = directory.RegistryChanges(come.organisations, come.services, "", "")
    assert sum(len(each.services) for each in operators_of(operators)) == 100


def test_the_table_tells_the_worst_of_all_rounds():
    told = {"read_ms": 1.0, "compile_ms": 2.0, "stall_ms": 3.0, "busy_ms": 1.5, "collected_ms": 0.0}
    one = directory.Seen("operators come", 2_000, told, LOAD, 0.0)
    worse = replace(one, told=told | {"stall_ms": 9.0}, load=replace(LOAD, max_ms=44.0))
    table = directory.table_of([one, worse, directory.Seen("nothing changes", 0, {}, LOAD, 0.0)])
    assert table.row_count == 2
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells == ["operators come", "2,000", "1.0", "2.0", "9.0", "1.5", "0.0", "3.0", "44.0"]
