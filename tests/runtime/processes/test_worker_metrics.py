"""Tests of the metrics of the parent of a gateway's workers."""

from types import SimpleNamespace

from relay.admin.merged_metrics import parse_metrics
from relay.runtime.processes.worker_metrics import format_parent_metrics


def test_workers_restarts_and_lost_lines_are_counted():
    slots = [
        SimpleNamespace(is_listening=is_listening, supervisor=SimpleNamespace(restarts=restarts))
        for is_listening, restarts in ((True, 2), (False, 3))
    ]
    families = parse_metrics(format_parent_metrics(slots, 4))
    assert {series: value for family in families.values() for series, value in family.values.items()} == {
        "relay_workers": 1.0,
        "relay_worker_restarts_total": 5.0,
        "relay_log_lines_lost": 4.0,
    }
