"""Log lines about lines: limited for each reason, bounded, printable."""

import pytest

from relay.infra.telegrams import line_log as module
from relay.infra.telegrams.line_log import LineLog


@pytest.fixture
def clock():
    """A clock that tests set."""
    return [0.0]


@pytest.fixture
def log(clock):
    """The log of an institution."""
    return LineLog("ZBAC000001", lambda: clock[0])


def test_a_frequent_reason_does_not_hide_another_one(log, clock, caplog):
    for reason in ("closed", "closed", "line_test", "closed"):
        log.record("line closed", reason)
    clock[0] = 61.0
    log.record("line closed", "closed")
    assert [record.getMessage() for record in caplog.records] == [
        'line closed: org_code=ZBAC000001 reason="closed" count=1',
        'line closed: org_code=ZBAC000001 reason="line_test" count=1',
        'line closed: org_code=ZBAC000001 reason="closed" count=3',
    ]


def test_reasons_beyond_the_limit_share_one_line(log, caplog, monkeypatch):
    monkeypatch.setattr(module, "MAX_REASONS", 2)
    for number in range(9):
        log.record("line closed", str(number))
    assert [record.getMessage()[-18:] for record in caplog.records] == [
        f'reason="{number}" count=1'[-18:] for number in range(3)
    ]


def test_a_reason_stays_within_its_line(log, caplog):
    log.record("line start refused by the core", 'response code "\n')
    assert caplog.messages == ['line start refused by the core: org_code=ZBAC000001 reason="response code \'?" count=1']
