"""Tests of the memory measurement with a real gateway and calls that it refuses."""

import json
from dataclasses import replace

import connections
import pytest
from harness.gateways import SharedConfig, prepare
from harness.hanging_up import KINDS, Plan
from harness.identity import make_identity
from harness.layout import ROOT, SIZES
from harness.processes import cores, running


def test_memory_is_flat_over_connections_that_end(tmp_path):
    gateway = prepare("relay", SharedConfig(make_identity(tmp_path), dict.fromkeys(SIZES, 9)))
    counts, reported = (400, 2400), []
    with running(gateway.argv, cores()[0], gateway.wait_for(), tmp_path / "relay.log", ROOT) as process:
        plan = Plan(gateway.ports.plain, 0, 20, KINDS, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        samples = connections.measure(gateway, process.pid, plan, counts, reported.append)
    assert [sample.connections for sample in samples] == list(counts)
    assert reported == samples
    assert samples[1].rss_mb <= connections.RATIO * samples[0].rss_mb


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_caller_sends_its_payload(kind):
    plan = Plan(1, 1, 1, (kind,), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    payload = plan.payload(kind)
    assert (b"\r\n\r\n" in payload) is (kind in {"call", "closing", "malformed", "half_body", "gone"})
    assert (payload == b"") is (kind in {"silent", "reset"})


def test_a_plan_is_read_as_it_was_written(tmp_path):
    plan = Plan(1, 2, 3, ("call",), "GET / HTTP/1.1\r\n\r\n", "ca", "certificate", "key")
    values = json.loads(plan.write(tmp_path / "plan.json").read_text())
    assert replace(Plan(**values), kinds=("call",)) == plan
