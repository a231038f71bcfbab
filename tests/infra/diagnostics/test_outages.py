"""Log lines of outages, with a simulated clock."""

import logging

import pytest

from relay.infra.diagnostics.outages import OutageLog, OutageLogs


@pytest.fixture
def outage(clock):
    return OutageLog("institution: org_code=ZBAA000001", clock)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


def test_an_outage_logs_its_begin_and_its_end(outage, clock, lines):
    for _ in range(40):
        outage.record_failure("refused")
    clock.now += 12.5
    outage.record_success()
    outage.record_success()
    assert lines() == [
        "institution unavailable: org_code=ZBAA000001 cause=refused failures=1",
        "institution available again: org_code=ZBAA000001 after_s=12.5 failures=40",
    ]


def test_a_service_that_works_logs_nothing(outage, lines):
    outage.record_success()
    assert (lines(), outage.is_failing) == ([], False)


def test_flapping_logs_one_outage_a_minute(outage, clock, lines):
    for _ in range(100):
        outage.record_failure("reset")
        outage.record_success()
        clock.now += 1
    assert len(lines()) == 4


def test_another_cause_is_logged_a_minute_later(outage, clock, lines):
    outage.record_failure("refused")
    outage.record_failure("time_out")
    clock.now += 60
    outage.record_failure("time_out")
    outage.record_failure("time_out")
    assert lines()[1:] == ["institution unavailable: org_code=ZBAA000001 cause=time_out failures=3"]


def test_an_unlogged_outage_ends_without_a_line(outage, clock, lines):
    outage.record_failure("refused")
    outage.record_success()
    clock.now += 1
    outage.record_failure("refused")
    outage.record_success()
    assert len(lines()) == 2


def test_a_service_without_fields_is_logged_by_name(clock, lines):
    outage = OutageLog("portal", clock)
    outage.record_failure("dns")
    outage.record_success()
    assert lines() == ["portal unavailable: cause=dns failures=1", "portal available again: after_s=0.0 failures=1"]


def test_each_service_has_its_own_outages(clock, lines):
    outages = OutageLogs(clock)
    for org_code in ("ZBAA000001", "ZBAA000001", "ZBAB000001"):
        outages.record_failure(f"institution: org_code={org_code}", "refused")
    outages.record_success("institution: org_code=ZBAB000001")
    outages.record_success("institution: org_code=ZBAC000001")
    assert lines() == [
        "institution unavailable: org_code=ZBAA000001 cause=refused failures=1",
        "institution unavailable: org_code=ZBAB000001 cause=refused failures=1",
        "institution available again: org_code=ZBAB000001 after_s=0.0 failures=1",
    ]
