"""Prometheus metrics: plain numbers counted per exchange, exposed by a collector at the scrape."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from relay.domain.exchange import Exchange

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Upper bounds of the latency buckets in seconds; the last one is the total timeout of a provider."""


GAUGES: Final = {
    "relay_in_flight": "Calls being answered",
    "relay_connections": "Connections of operators",
    "relay_handshakes": "TLS handshakes of operators under way",
    "relay_institutions": "Institutions in the plan",
    "relay_ledger_age_seconds": "Seconds since the last answer of the ledger",
    "relay_authority_age_seconds": "Seconds since the last answer of the authority",
    "relay_directory_operators": "Operators in the plan",
    "relay_directory_number": "Number of changes of the portal's registry; 0 without one",
    "relay_directory_age_seconds": "Seconds since the last sync with the portal; 0 without a portal",
    "relay_directory_held_seconds": "Seconds since a sync is held for relay directory release; 0 when none is",
    "relay_statistics_waiting": "Exchanges counted and not yet acknowledged by the ledger",
    "relay_statistics_behind_seconds": "Seconds since the oldest waiting exchange was counted; 0 when none waits",
    "relay_statistics_unattributed": "Exchanges since the start without a known institution or operator",
    "relay_statistics_failures": "Failed deliveries of batches to the ledger since the start",
    "relay_statistics_spool_broken": "Spool files set aside as broken, and unreadable ones",
    "relay_plan_reloads": "Plans applied since the start",
    "relay_plan_reload_failures": "Settings rejected since the start, because they were invalid",
    "relay_access_log_lost": "Access records lost because the disk was too slow or full",
    "relay_log_lines_lost": "Log lines of this process lost because standard error was not read",
}
"""Gauges that are read at the scrape."""


JOB_GAUGES: Final = {
    "relay_job_failures": "Failures of a job in a row",
    "relay_job_success_age_seconds": "Seconds since the last success of a job on any instance",
}
"""Gauges of each job."""


class Histogram:
    """A histogram as plain numbers."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Returns cumulative buckets in the form of Prometheus."""
        cumulative, total = [], 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self.counts, strict=True):
            total += count
            cumulative.append((bound, float(total)))
        return cumulative


class Metrics:
    """Counts exchanges. Label sets are bounded: codes of the catalogue, institutions of the plan, `rsp_codes`.

    Other codes of providers are counted under "".

    PERF: 1 us for each exchange; labels().inc() and observe() of the client library cost 6.
    """

    def __init__(self, rsp_codes: Collection[str]) -> None:
        self._rsp_codes = frozenset(rsp_codes)
        self.requests: Counter[tuple[str, str, int, str]] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.attempts: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.latency: dict[str, tuple[Histogram, Histogram, Histogram]] = {}

    def record(self, exchange: Exchange) -> None:
        """Counts a closed exchange."""
        provider = exchange.provider
        rsp_code = exchange.rsp_code if exchange.rsp_code in self._rsp_codes else ""
        self.requests[exchange.api_code, provider, exchange.status, rsp_code] += 1
        if exchange.reason:
            self.reasons[exchange.reason, provider] += 1
        if not exchange.industry:  # no data API: at most the authority was called, no institution
            provider = ""
        histograms = self.latency.get(provider)
        if histograms is None:
            histograms = self.latency[provider] = (Histogram(), Histogram(), Histogram())
        total, upstream = exchange.total, exchange.upstream
        own_histogram, upstream_histogram, total_histogram = (
            histograms  # PERF: `observe` written out for the two that every exchange has
        )
        own = total - upstream
        own_histogram.counts[bisect_left(BOUNDS, own)] += 1
        own_histogram.seconds += own
        total_histogram.counts[bisect_left(BOUNDS, total)] += 1
        total_histogram.seconds += total
        if exchange.attempts:
            upstream_histogram.observe(upstream)
            self.attempts[provider] += exchange.attempts
            if exchange.attempts > 1:
                self.retries[provider] += exchange.attempts - 1


class RelayCollector(Collector):
    """Exposes Metrics, and the gauges and pools at the moment of the scrape."""

    def __init__(
        self,
        metrics: Metrics,
        gauges: Callable[[], Mapping[str, float]],
        pools: Callable[[], Mapping[str, Mapping[str, int]]],
        info: Callable[[], Mapping[str, str]],
        rejected: Mapping[str, int],
        jobs: Callable[[], Mapping[str, Mapping[str, float]]] = dict,
    ) -> None:
        self._metrics = metrics
        self._gauges = gauges
        self._pools = pools
        self._info = info
        self._rejected = rejected
        self._jobs = jobs

    def collect(self) -> Iterable[Metric]:
        """Yields all families."""
        yield from self._counters()
        yield from self._latencies()
        yield from self._gauge_families()

    def _counters(self) -> Iterator[Metric]:
        labels = ["api_code", "org_code", "status", "rsp_code"]
        requests = CounterMetricFamily("relay_requests", "Exchanges by API, institution and answer", labels=labels)
        for (api_code, provider, status, rsp_code), count in list(self._metrics.requests.items()):
            requests.add_metric([api_code, provider, str(status), rsp_code], count)
        yield requests
        reasons = CounterMetricFamily("relay_faults", "Refused and failed exchanges", labels=["reason", "org_code"])
        for (reason, provider), count in list(self._metrics.reasons.items()):
            reasons.add_metric([reason, provider], count)
        yield reasons
        rejected = CounterMetricFamily("relay_handshakes_rejected", "Rejected TLS handshakes", labels=["reason"])
        for reason, count in dict(self._rejected).items():
            rejected.add_metric([reason], count)
        yield rejected
        for name, text, counts in (
            ("relay_upstream_attempts", "Requests sent to institutions, and to the authority", self._metrics.attempts),
            ("relay_upstream_retries", "Requests sent again on a fresh connection", self._metrics.retries),
        ):
            family = CounterMetricFamily(name, text, labels=["org_code"])
            for provider, count in list(counts.items()):
                family.add_metric([provider], count)
            yield family

    def _latencies(self) -> Iterator[Metric]:
        texts = (
            ("relay_latency_seconds", "Time spent in the relay"),
            ("relay_upstream_latency_seconds", "Time from asking an institution to its last byte"),
            ("relay_total_latency_seconds", "Time from a request's last byte to its answer's last byte"),
        )
        for index, (name, text) in enumerate(texts):
            family = HistogramMetricFamily(name, text, labels=["org_code"])
            for provider, histograms in list(self._metrics.latency.items()):
                histogram = histograms[index]
                family.add_metric([provider], histogram.buckets(), histogram.seconds)
            yield family

    def _gauge_families(self) -> Iterator[Metric]:
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value)
        for name, by_job in self._jobs().items():
            job_family = GaugeMetricFamily(name, JOB_GAUGES[name], labels=["job"])
            for job, value in by_job.items():
                job_family.add_metric([job], value)
            yield job_family
        family = GaugeMetricFamily("relay_upstream_pool", "Connections and requests", labels=["org_code", "state"])
        for provider, counts in self._pools().items():
            for state, count in counts.items():
                family.add_metric([provider, state], count)
        yield family
        info = self._info()
        plan = GaugeMetricFamily("relay_info", "Version and plan in use", labels=list(info))
        plan.add_metric(list(info.values()), 1)
        yield plan


def build_metrics_registry(collector: Collector) -> CollectorRegistry:
    """Returns a registry with this collector and nothing global."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
