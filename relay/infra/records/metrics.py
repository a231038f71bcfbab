"""What Prometheus reads: plain numbers counted per exchange, exposed by a collector when somebody asks."""

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
"""Upper bounds of the latency buckets, in seconds; the last is the total a provider may take."""


GAUGES: Final = {
    "relay_in_flight": "Calls being answered",
    "relay_connections": "Connections of operators",
    "relay_handshakes": "TLS handshakes of operators under way",
    "relay_institutions": "Institutions in the plan",
    "relay_ledger_age_seconds": "Since the ledger was heard last",
    "relay_authority_age_seconds": "Since the authority answered last",
    "relay_directory_operators": "Operators in the plan",
    "relay_directory_number": "Changes of the portal's registry so far; 0 while there is none",
    "relay_directory_age_seconds": "Since the portal's registry was heard last; 0 without a portal",
    "relay_directory_held_seconds": "Since a sync is held back and waits for relay directory release; 0 when none is",
    "relay_statistics_waiting": "Exchanges counted and not yet acknowledged by the ledger",
    "relay_statistics_behind_seconds": "Since the oldest exchange that waits was counted; 0 when none waits",
    "relay_statistics_unattributed": "Exchanges since the start that count for nobody: institution or operator unknown",
    "relay_statistics_failures": "Times since the start that the ledger did not take a batch",
    "relay_statistics_spool_broken": "Spool files set aside as broken, and those that cannot be read now",
    "relay_plan_reloads": "Plans taken since the start",
    "relay_plan_reload_failures": "Settings not taken since the start, because something in them was wrong",
    "relay_access_log_lost": "Access records lost, because the disk was too slow or full",
    "relay_log_lines_lost": "Lines of this process's log lost, because standard error was not read",
}
"""What is read at the moment of the scrape."""


JOB_GAUGES: Final = {
    "relay_job_failures": "Times in a row that a job failed",
    "relay_job_success_age_seconds": "Since a job succeeded last, whichever instance ran it",
}
"""What is read of each job."""


class Histogram:
    """One histogram as plain numbers."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative buckets as Prometheus wants them."""
        found, total = [], 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Metrics:
    """Counts exchanges. Label sets are bounded: codes of the catalogue, institutions of the plan, `rsp_codes`.

    What a provider invents beside those codes is counted under "".

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
        """Count a closed exchange."""
        provider = exchange.provider
        rsp_code = exchange.rsp_code if exchange.rsp_code in self._rsp_codes else ""
        self.requests[exchange.api_code, provider, exchange.status, rsp_code] += 1
        if exchange.reason:
            self.reasons[exchange.reason, provider] += 1
        if not exchange.industry:  # of no data API: an institution was not asked, the authority may have been
            provider = ""
        histograms = self.latency.get(provider)
        if histograms is None:
            histograms = self.latency[provider] = (Histogram(), Histogram(), Histogram())
        total, upstream = exchange.total, exchange.upstream
        relayed, asked, whole = histograms  # PERF: `observe` written out for the two that every exchange has
        own = total - upstream
        relayed.counts[bisect_left(BOUNDS, own)] += 1
        relayed.seconds += own
        whole.counts[bisect_left(BOUNDS, total)] += 1
        whole.seconds += total
        if exchange.attempts:
            asked.observe(upstream)
            self.attempts[provider] += exchange.attempts
            if exchange.attempts > 1:
                self.retries[provider] += exchange.attempts - 1


class RelayCollector(Collector):
    """Exposes Metrics, and what `gauges` and `pools` tell at the moment of the scrape."""

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
        """All families."""
        yield from self._counters()
        yield from self._latencies()
        yield from self._moment()

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
        rejected = CounterMetricFamily("relay_handshakes_rejected", "Callers not let in", labels=["reason"])
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

    def _moment(self) -> Iterator[Metric]:
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value)
        for name, by_job in self._jobs().items():
            told = GaugeMetricFamily(name, JOB_GAUGES[name], labels=["job"])
            for job, value in by_job.items():
                told.add_metric([job], value)
            yield told
        family = GaugeMetricFamily("relay_upstream_pool", "Connections and flights", labels=["org_code", "state"])
        for provider, counts in self._pools().items():
            for state, count in counts.items():
                family.add_metric([provider, state], count)
        yield family
        info = self._info()
        plan = GaugeMetricFamily("relay_info", "Version and plan in use", labels=list(info))
        plan.add_metric(list(info.values()), 1)
        yield plan


def registry_of(collector: Collector) -> CollectorRegistry:
    """A registry with this collector and nothing global."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
