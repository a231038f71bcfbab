"""Jobs, terms and their ports."""

import inspect

import pytest
from typing_extensions import is_protocol

from relay.domain.jobs import (
    MAX_AHEAD_S,
    Archive,
    JobState,
    JobStore,
    Leadership,
    PortalCall,
    Superseded,
    Term,
    seconds_since,
)


def test_a_new_job_state_is_all_zero():
    assert JobState("sync") == JobState("sync", 0, 0, 0, 0, 0, 0, "")


def test_terms_differ_by_holder_or_fence():
    assert Term("one", 1, 100) != Term("one", 2, 100)
    assert Term("one", 1, 100) != Term("two", 1, 100)


@pytest.mark.parametrize(("until", "runs"), [(99, False), (100, False), (101, True), (460, True), (461, False)])
def test_a_term_runs_until_its_plausible_end(until, runs):
    assert Term("one", 1, until).is_running(100) is runs


def test_superseded_has_no_text():
    assert str(Superseded()) == ""


def test_a_portal_call_has_no_field_for_content():
    assert list(PortalCall.__slots__) == [
        *("at", "api_id", "tran_id", "attempt", "status", "rsp_code", "took_ms", "outcome")
    ]


@pytest.mark.parametrize("port", [Archive, JobStore, Leadership])
def test_ports_are_protocols_with_documented_coroutines(port):
    methods = [method for name, method in vars(port).items() if inspect.isfunction(method) and not name.startswith("_")]
    assert is_protocol(port)
    assert methods
    assert all(method.__doc__ and inspect.iscoroutinefunction(method) for method in methods)


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [(940, 60), (1000, 0), (1000 + MAX_AHEAD_S, 0), (1001 + MAX_AHEAD_S, 30), (0, 30)],
)
def test_a_clock_ahead_hides_no_age(moment, seconds):
    assert seconds_since(moment, 970.0, 1000.0) == seconds
