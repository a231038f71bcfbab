"""Messages between the parent and a worker."""

import json

import pytest

from relay.policy.settings.worker_shares import WorkerShare
from relay.runtime.processes.worker_messages import WorkerStart, WorkerStatus


def test_a_start_is_decoded_as_it_was_encoded():
    start = WorkerStart(WorkerShare(2, 4), (("0.0.0.0", 8443), ("::1", 0)))
    assert WorkerStart.decode(start.encode()) == start


def test_a_status_is_decoded_as_it_was_encoded():
    status = WorkerStatus(("ledger", "authority"), "0123", 2, 1, 60, {"keys": []})
    assert WorkerStatus.decode(status.encode()) == status


def test_a_status_of_another_version_is_understood():
    assert WorkerStatus.decode(json.dumps({"missing": [], "new": 1}).encode()) == WorkerStatus(())


@pytest.mark.parametrize(
    ("missing", "is_listening"),
    [((), True), (("ledger",), True), (("directory", "listeners"), False), (("stopping",), False)],
)
def test_a_worker_without_a_ledger_listens_all_the_same(missing, is_listening):
    assert WorkerStatus(missing).is_listening is is_listening
