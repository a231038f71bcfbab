"""Memory after ended connections: the measurement in small, with a real gateway and calls that it refuses itself."""

import json
from dataclasses import replace

import connections
import pytest
from rig.gateways import Street, prepare
from rig.hanging_up import KINDS, Plan
from rig.identity import make_identity
from rig.layout import ROOT, SIZES
from rig.processes import cores, running


def test_memory_is_flat_over_connections_that_end(tmp_path):
    gateway = prepare("relay", Street(make_identity(tmp_path), dict.fromkeys(SIZES, 9)))
    marks, told = (400, 2400), []
    with running(gateway.argv, cores()[0], gateway.wait_for(), tmp_path / "relay.log", ROOT) as process:
        plan = Plan(gateway.ports.plain, 0, 20, KINDS, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        found = connections.measured(gateway, process.pid, plan, marks, told.append)
    assert [mark.connections for mark in found] == list(marks)
    assert told == found
    assert found[1].rss_mb <= connections.RATIO * found[0].rss_mb


@pytest.mark.parametrize("kind", KINDS)
def test_callers_say_what_their_kind_says(kind):
    plan = Plan(1, 1, 1, (kind,), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    said = plan.said(kind)
    assert (b"\r\n\r\n" in said) is (kind in {"call", "closing", "malformed", "half_body", "gone"})
    assert (said == b"") is (kind in {"silent", "reset"})


def test_a_plan_survives_its_file(tmp_path):
    plan = Plan(1, 2, 3, ("call",), "GET / HTTP/1.1\r\n\r\n", "ca", "certificate", "key")
    values = json.loads(plan.write(tmp_path / "plan.json").read_text())
    assert replace(Plan(**values), kinds=("call",)) == plan
