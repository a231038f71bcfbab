"""Who looks after the relay reads who is down, and is not drowned in it."""

import logging

import pytest

from relay.endpoint.outage_log import Complaints


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG, logger="relay.endpoint.outage_log")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_one_line_a_second_says_how_many_were_not_said(lines):
    complaints = Complaints()
    for now in (100.0, 100.1, 100.999, 101.0, 101.5, 200.0, 300.0):
        complaints.say("institution ZBAA000001", f"disk full at {now}", now)
    assert lines() == [
        ("WARNING", "institution ZBAA000001: disk full at 100.0; 0 more since the last line"),
        ("WARNING", "institution ZBAA000001: disk full at 101.0; 2 more since the last line"),
        ("WARNING", "institution ZBAA000001: disk full at 200.0; 1 more since the last line"),
        ("WARNING", "institution ZBAA000001: disk full at 300.0; 0 more since the last line"),
    ]


def test_nobodys_complaints_hide_those_about_another(lines):
    complaints = Complaints()
    for party in ("ledger", "ledger", "institution ZBAA000001", "ledger", "institution ZBAB000001"):
        complaints.say(party, "silent", 100.0)
    assert [line.partition(":")[0] for _, line in lines()] == [
        "ledger",
        "institution ZBAA000001",
        "institution ZBAB000001",
    ]


def test_a_clock_that_was_set_back_does_not_silence_anybody(lines):
    complaints = Complaints()
    for now in (100.0, 50.0, 50.5):
        complaints.say("institution ZBAA000001", "away", now)
    assert len(lines()) == 2
