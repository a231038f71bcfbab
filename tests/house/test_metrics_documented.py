"""Checks that docs/operate/metrics.md lists exactly the exposed metrics."""

import re
from pathlib import Path

from relay.domain.exchange import Exchange
from relay.infra.records.access_log import format_records
from relay.infra.records.metrics import GAUGES, JOB_GAUGES, Metrics, RelayCollector

WORKER_METRICS = {"relay_workers", "relay_worker_restarts"}
"""Metrics of the parent of several workers; tests/runtime/processes/test_workers.py reads them."""

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operate" / "metrics.md").read_text("utf-8")


def test_every_metric_is_documented_and_no_other():
    jobs = {name: {"job": 0.0} for name in JOB_GAUGES}
    collector = RelayCollector(Metrics(()), lambda: dict.fromkeys(GAUGES, 0.0), dict, dict, {}, lambda: jobs)
    exposed = set(re.findall(r"^# TYPE (\w+)", b"".join(collector.write()).decode(), re.MULTILINE)) | WORKER_METRICS
    assert exposed == set(re.findall(r"^\| `(relay_\w+)`", DOCUMENT, re.MULTILINE))


def test_every_field_of_an_access_record_is_documented():
    fields = set(re.findall(r'"(\w+)":', format_records([Exchange(0.0, 0.0)]).decode()))
    records = DOCUMENT.split("## Access records")[1]
    assert fields <= set(re.findall(r"`(\w+)`", records))
