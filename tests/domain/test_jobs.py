"""Jobs and who leads: what the ledger keeps of them, what everybody promises."""

import inspect

import pytest

from relay.domain.jobs import (
    AHEAD_MOST_S,
    Archive,
    JobsBook,
    JobState,
    Leadership,
    PortalCall,
    Superseded,
    Term,
    age_of,
)


def test_a_job_that_never_ran_never_failed_and_is_due():
    assert JobState("sync") == JobState("sync", 0, 0, 0, 0, 0, 0, "")


def test_a_term_is_one_holders_and_one_fences():
    assert Term("one", 1, 100) != Term("one", 2, 100)
    assert Term("one", 1, 100) != Term("two", 1, 100)


@pytest.mark.parametrize(("until", "runs"), [(99, False), (100, False), (101, True), (460, True), (461, False)])
def test_a_term_runs_until_it_ends_unless_it_ends_too_late_to_be_true(until, runs):
    assert Term("one", 1, until).runs(100) is runs


def test_who_is_superseded_says_nothing_more():
    assert str(Superseded()) == ""


def test_a_call_to_the_portal_has_no_place_for_what_was_said():
    assert list(PortalCall.__slots__) == [
        *("at", "api_id", "tran_id", "attempt", "status", "rsp_code", "took_ms", "outcome")
    ]


@pytest.mark.parametrize("port", [Archive, JobsBook, Leadership])
def test_a_port_is_a_shape_whose_duties_all_say_what_they_promise(port):
    duties = [duty for name, duty in vars(port).items() if inspect.isfunction(duty) and not name.startswith("_")]
    assert port._is_protocol
    assert duties
    assert all(duty.__doc__ and inspect.iscoroutinefunction(duty) for duty in duties)


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [(940, 60), (1000, 0), (1000 + AHEAD_MOST_S, 0), (1001 + AHEAD_MOST_S, 30), (0, 30)],
)
def test_an_age_is_never_hidden_by_a_clock_that_ran_ahead(moment, seconds):
    assert age_of(moment, 970.0, 1000.0) == seconds
