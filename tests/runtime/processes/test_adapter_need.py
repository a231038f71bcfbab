"""Tests of the start of an adapter that a reload needs first."""

import pytest

from relay.runtime.processes.adapter_need import AdapterNeed


@pytest.mark.parametrize(
    ("at_start", "updates", "starts"),
    [
        (False, [False, True], 1),
        (False, [True, True, False, True], 1),  # an adapter without institutions runs on
        (True, [True, False, True], 0),
        (False, [False], 0),
    ],
)
def test_the_adapter_is_started_once(at_start, updates, starts):
    need, started = AdapterNeed(is_needed=at_start), []
    need.start = lambda: started.append(1)
    for is_needed in updates:
        need.update(is_needed=is_needed)
    assert len(started) == starts


def test_without_a_child_process_the_log_says_what_to_start(caplog):
    AdapterNeed(is_needed=False).update(is_needed=True)
    assert "start it: command='relay serve --role adapter'" in caplog.text
