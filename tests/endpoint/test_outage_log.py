"""Failures of institutions and certifiers are logged at a limited rate."""

import logging

import pytest

from relay.endpoint.outage_log import PartyOutageLog


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG, logger="relay.endpoint.outage_log")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_one_line_a_second_counts_the_failures(lines):
    outages = PartyOutageLog()
    for now in (100.0, 100.1, 100.999, 101.0, 101.5, 200.0, 300.0):
        outages.log("institution ZBAA000001", f"disk full at {now}", now)
    assert lines() == [
        ("WARNING", 'institution ZBAA000001 unavailable: cause="disk full at 100.0" failures=1'),
        ("WARNING", 'institution ZBAA000001 unavailable: cause="disk full at 101.0" failures=3'),
        ("WARNING", 'institution ZBAA000001 unavailable: cause="disk full at 200.0" failures=2'),
        ("WARNING", 'institution ZBAA000001 unavailable: cause="disk full at 300.0" failures=1'),
    ]


def test_each_party_has_its_own_rate(lines):
    outages = PartyOutageLog()
    for party in ("ledger", "ledger", "institution ZBAA000001", "ledger", "institution ZBAB000001"):
        outages.log(party, "silent", 100.0)
    assert [line.partition(" unavailable")[0] for _, line in lines()] == [
        "ledger",
        "institution ZBAA000001",
        "institution ZBAB000001",
    ]


def test_a_clock_that_was_set_back_suppresses_no_line(lines):
    outages = PartyOutageLog()
    for now in (100.0, 50.0, 50.5):
        outages.log("institution ZBAA000001", "timeout", now)
    assert len(lines()) == 2
