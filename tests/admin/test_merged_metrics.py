"""Metrics of several workers are merged without a count that goes back."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from relay.admin.merged_metrics import GAUGE_SUMS, KEPT_GAUGES, MergedMetrics, parse_metrics
from relay.domain.exchange import Exchange
from relay.infra.records.metrics import GAUGES, JOB_GAUGES, Metrics, RelayCollector

HIGHEST = {
    "relay_overload_level",
    "relay_overload_lag_seconds",
    "relay_overload_memory_bytes",
    "relay_gc_pause_seconds",
    "relay_loop_lag_seconds",
    "relay_institutions",
    "relay_quota_alone",
    "relay_quota_gateways",
    "relay_ledger_age_seconds",
    "relay_authority_age_seconds",
    "relay_adapter_age_seconds",
    "relay_directory_operators",
    "relay_directory_number",
    "relay_directory_age_seconds",
    "relay_directory_held_seconds",
    "relay_statistics_behind_seconds",
    "relay_statistics_spool_broken",
    "relay_plan_reloads",
    "relay_plan_reload_failures",
    "relay_transfers_known",
}
"""Gauges of which the highest value counts. A new gauge is added here, or to GAUGE_SUMS or KEPT_GAUGES."""


def render_worker(calls, **gauges):
    """Returns the text of a worker that has served `calls` of BA01."""
    metrics = Metrics(("00000",))
    for _ in range(calls):
        exchange = Exchange(0.0, 0.0)
        exchange.api_code, exchange.provider, exchange.industry = "BA01", "ZBAA000001", "bank"
        exchange.status, exchange.rsp_code, exchange.total, exchange.attempts = 200, "00000", 0.002, 1
        metrics.record([exchange])
    collector = RelayCollector(
        metrics, lambda: dict.fromkeys(GAUGES, 0.0) | gauges, dict, lambda: {"plan": "1"}, {}, dict
    )
    return b"".join(collector.write()).decode()


def read(merged):
    """Returns the value of each series."""
    families = parse_metrics(merged.decode()).values()
    return {series: value for family in families for series, value in family.values.items()}


def test_counters_and_histograms_are_added():
    merged = MergedMetrics().render([render_worker(2), render_worker(3)])
    (family,) = [each for each in text_string_to_metric_families(merged.decode()) if each.name == "relay_requests"]
    assert [sample.value for sample in family.samples] == [5.0]
    values = read(merged)
    assert values['relay_total_latency_seconds_count{org_code="ZBAA000001"}'] == 5.0
    assert values['relay_total_latency_seconds_bucket{le="0.001",org_code="ZBAA000001"}'] == 0.0
    assert values['relay_total_latency_seconds_bucket{le="0.0025",org_code="ZBAA000001"}'] == 5.0
    assert values['relay_info{plan="1"}'] == 1.0


def test_every_gauge_has_a_rule():
    assert set(GAUGES) == HIGHEST | (GAUGE_SUMS - {"relay_upstream_pool"}) | KEPT_GAUGES
    assert not set(JOB_GAUGES) & (GAUGE_SUMS | KEPT_GAUGES)


@pytest.mark.parametrize("name", sorted(GAUGES))
def test_gauges_are_added_or_the_highest_counts(name):
    values = read(MergedMetrics().render([render_worker(0, **{name: 3.0}), render_worker(0, **{name: 4.0})]))
    assert values[name] == (4.0 if name in HIGHEST else 7.0)


def test_counts_of_an_ended_worker_stay_and_its_state_does_not():
    merged = MergedMetrics()
    merged.keep(render_worker(2, relay_connections=9.0, relay_access_log_lost=4.0))
    merged.keep(render_worker(1, relay_access_log_lost=1.0))
    values = read(merged.render([render_worker(3, relay_connections=5.0)]))
    assert values["relay_connections"] == 5.0
    assert values["relay_access_log_lost"] == 5.0
    requests = 'relay_requests_total{api_code="BA01",org_code="ZBAA000001",rsp_code="00000",status="200"}'
    assert values[requests] == 6.0
    assert read(merged.render([render_worker(3)]))[requests] == 6.0  # rendering changes nothing


def test_what_only_ended_workers_have_counted_is_shown():
    merged = MergedMetrics()
    merged.keep(render_worker(2))
    assert 'relay_upstream_attempts_total{org_code="ZBAA000001"} 2.0' in merged.render([]).decode()
