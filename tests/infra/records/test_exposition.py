"""The text is that of prometheus_client, byte by byte."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from relay.infra.records.exposition import Family, HistogramFamily, join_pieces

NUMBERS = [0, 1, 999_999, 1_000_000, 123_456_789, -1, 0.5, 1e-9, 1e21, 1234567.25, math.inf, -math.inf, math.nan]
STRANGE = 'a"b\\c\nd%s{}é'


def reference(*families):
    """Returns the text of prometheus_client."""

    class Given(Collector):
        def collect(self):
            yield from families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Given())
    return generate_latest(registry)


def written(*texts):
    return b"".join(join_pieces(text for part in texts for text in part))


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_number_without_labels_is_written(number):
    family = Family("up", "gauge", 'About\n"it"')
    assert written(family.format({(): number})) == reference(GaugeMetricFamily("up", 'About\n"it"', value=number))


@given(
    st.dictionaries(
        st.tuples(st.text(max_size=5), st.integers(100, 599), st.sampled_from(["", STRANGE])),
        st.one_of(st.integers(0, 2**60), st.floats(allow_nan=False)),
    )
)
def test_counters_are_written_with_sorted_labels(counts):
    labels = ["org_code", "status", "api_code"]
    expected = CounterMetricFamily("calls", "Calls", labels=labels)
    for values, number in counts.items():
        expected.add_metric([str(value) for value in values], number)
    assert written(Family("calls", "counter", "Calls", labels, "calls_total").format(counts)) == reference(expected)


@given(st.lists(st.tuples(st.text(max_size=8), st.tuples(*[st.integers(0, 10**7)] * 3), st.floats(0, 1e9)), max_size=5))
def test_histograms_are_written_with_cumulative_buckets(histograms):
    expected = HistogramMetricFamily("seconds", "Time", labels=["org_code"])
    for label, (first, second, third), total in histograms:
        buckets = [("0.5", first), ("2.0", first + second), ("+Inf", first + second + third)]
        expected.add_metric([label], [(bound, float(count)) for bound, count in buckets], total)
    assert written(HistogramFamily("seconds", "Time", "org_code", [0.5, 2.0]).format(histograms)) == reference(expected)


def test_a_label_with_percent_signs_is_no_template():
    expected = HistogramMetricFamily("seconds", "Time", labels=["org_code"])
    expected.add_metric([STRANGE], [("1.0", 2.0), ("+Inf", 2.0)], 1.0)
    family = HistogramFamily("seconds", "Time", "org_code", [1.0])
    assert written(family.format([(STRANGE, [2, 0], 1.0)])) == reference(expected)


def test_families_follow_each_other_in_short_pieces():
    counts = {f"ZBAA{number:06}": number for number in range(2000)}
    families = [Family(name, "counter", "Calls", ["org_code"], f"{name}_total") for name in ("calls", "more")]
    pieces = list(join_pieces(text for family in families for text in family.format(counts)))
    expected = [CounterMetricFamily(name, "Calls", labels=["org_code"]) for name in ("calls", "more")]
    for family in expected:
        for label, number in counts.items():
            family.add_metric([label], number)
    assert b"".join(pieces) == reference(*expected)
    assert max(map(len, pieces)) < 16_000
    assert len(pieces) > 10
