import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from relay.infra.records.metrics import BOUNDS, GAUGES, Metrics, RelayCollector
from relay.policy.answers.answer_rules import Verdict
from relay.policy.answers.rules import Rule, Violation

LABELS = [*map(str, BOUNDS), "+Inf"]


def collector(metrics, **more):
    given = {"gauges": dict, "pools": dict, "info": lambda: {"version": "1", "plan": "p"}, "rejected": {}} | more
    return RelayCollector(metrics, **given)


def samples(metrics, **more):
    families = text_string_to_metric_families(b"".join(collector(metrics, **more).write()).decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value for family in families for sample in family.samples
    }


def test_buckets_are_cumulative_and_end_at_infinity(exchange):
    metrics = Metrics(())
    for seconds in (0.0005, 0.0006, 0.3, 99.0):
        metrics.record([exchange(provider="bank", industry="bank", ended=seconds)])
    values = samples(metrics)
    buckets = {bound: values["relay_total_latency_seconds_bucket", *sorted([bound, "bank"])] for bound in LABELS}
    assert (buckets["0.0005"], buckets["0.001"], buckets["0.25"], buckets["0.5"]) == (1, 2, 2, 3)
    assert (buckets["15.0"], buckets["+Inf"]) == (3, 4)
    assert list(buckets.values()) == sorted(buckets.values())
    assert values["relay_total_latency_seconds_sum", "bank"] == pytest.approx(99.3011)


def test_a_bound_belongs_to_its_own_bucket(exchange):
    for index, bound in enumerate(BOUNDS):
        metrics = Metrics(())
        metrics.record([exchange(ended=bound), exchange(ended=math.nextafter(bound, math.inf))])
        _, _, total = metrics.latency[""]
        assert total.counts[index : index + 2] == [1, 1]


def test_a_call_is_counted_once_in_every_family(exchange):
    metrics = Metrics({"00000", "40101"})
    served = {"api_code": "BA01", "provider": "bank", "status": 200, "rsp_code": "00000", "attempts": 2}
    times = {"provider_started": 1.0, "provider_ended": 1.5, "started": 0.9, "ended": 1.6}
    metrics.record([exchange(industry="bank", **times, **served)])
    values = samples(metrics)
    assert values["relay_requests_total", "00000", "200", "BA01", "bank"] == 1
    assert values["relay_upstream_attempts_total", "bank"] == 2
    assert values["relay_upstream_retries_total", "bank"] == 1
    assert values["relay_latency_seconds_sum", "bank"] == pytest.approx(0.2)
    assert values["relay_upstream_latency_seconds_sum", "bank"] == pytest.approx(0.5)
    assert values["relay_total_latency_seconds_sum", "bank"] == pytest.approx(0.7)
    assert {values[f"relay_{kind}latency_seconds_count", "bank"] for kind in ("", "upstream_", "total_")} == {1}


def test_a_refused_call_counts_its_reason_and_no_attempt(exchange):
    metrics = Metrics({"00000", "40101"})
    refused = {"status": 401, "rsp_code": "40101", "reason": "token_expired"}
    metrics.record([exchange(**refused, provider="bank", industry="bank")])
    values = samples(metrics)
    assert values["relay_faults_total", "bank", "token_expired"] == 1
    assert ("relay_upstream_attempts_total", "bank") not in values
    assert values["relay_upstream_latency_seconds_count", "bank"] == 0


def test_attempts_at_the_authority_are_not_an_institutions(exchange):
    metrics = Metrics({"00000", "40101"})
    times = {"provider_started": 1.0, "provider_ended": 1.5, "started": 0.9, "ended": 1.6}
    metrics.record([exchange(api_code="AU03", provider="bank", status=200, attempts=2, **times)])
    values = samples(metrics)
    assert values["relay_requests_total", "", "200", "AU03", "bank"] == 1
    assert values["relay_upstream_attempts_total", ""] == 2
    assert values["relay_upstream_retries_total", ""] == 1
    assert values["relay_upstream_latency_seconds_count", ""] == 1
    assert {name for name, *labels in values if labels == ["bank"]} == set()


def test_gauges_are_read_at_the_scrape():
    gauges, pools = dict.fromkeys(GAUGES, 0), {"bank": {"idle": 1, "flying": 2, "waiting": 3}}
    more = {"gauges": lambda: gauges, "pools": lambda: pools, "rejected": {"no_certificate": 4}}
    gauges["relay_in_flight"] = 7
    values = samples(Metrics({"00000", "40101"}), **more)
    assert (values["relay_in_flight",], values["relay_upstream_pool", "bank", "flying"]) == (7, 2)
    assert values["relay_handshakes_rejected_total", "no_certificate"] == 4
    assert values["relay_info", "1", "p"] == 1


def test_invented_codes_of_providers_make_no_labels(exchange):
    metrics = Metrics({"00000"})
    for code in range(10000, 10300):
        metrics.record([exchange(api_code="BA01", provider="bank", status=200, rsp_code=str(code))])
    assert metrics.requests == {("BA01", "bank", 200, ""): 300}


def test_counting_goes_on_while_metrics_are_written(exchange):
    metrics = Metrics({"00000"})
    call = {"industry": "bank", "status": 200, "rsp_code": "00000", "attempts": 2, "reason": "token_expired"}
    for number in range(200):
        metrics.record([exchange(api_code="BA01", provider=f"ZBAA{number:06}", **call)])
    pieces = []
    for number, piece in enumerate(collector(metrics).write(), 200):
        pieces.append(piece)
        metrics.record([exchange(api_code="BA01", provider=f"ZBAA{number:06}", **call)])
        metrics.record([exchange(api_code="BA01", provider="ZBAA000199", **call)])
    assert len(pieces) > 10
    families = {family.name: family.samples for family in text_string_to_metric_families(b"".join(pieces).decode())}
    assert len(families["relay_requests"]) == 200
    assert 200 <= len(families["relay_faults"]) < 220
    assert sum(sample.value for sample in families["relay_upstream_retries"]) > 200


def test_a_label_set_is_written_again_with_its_new_number(exchange):
    metrics = Metrics({"00000"})
    exposed = collector(metrics)
    for total in (1, 2):
        metrics.record([exchange(api_code="BA01", provider="bank", industry="bank", status=200, rsp_code="00000")])
        text = b"".join(exposed.write()).decode()
        assert (
            f'relay_requests_total{{api_code="BA01",org_code="bank",rsp_code="00000",status="200"}} {total}.0\n' in text
        )
        assert f'relay_total_latency_seconds_count{{org_code="bank"}} {total}.0\n' in text


def test_checked_answers_are_counted_by_api_rule_and_field():
    metrics = Metrics(())
    verdict = Verdict((Violation(Rule.ORDER, "trans_list[].trans_dtime"),), unknown_code="77777")
    metrics.answers.record("bank", "BA04", verdict)
    metrics.answers.skipped["queue"] += 1
    values = samples(metrics)
    assert values["relay_answers_checked_total", "BA04", "bank", "broken"] == 1
    assert values["relay_answers_broken_total", "BA04", "bank", "order", "trans_list[].trans_dtime"] == 1
    assert values["relay_answers_unknown_codes_total", "77777", "bank"] == 1
    assert values["relay_answers_skipped_total", "queue"] == 1
