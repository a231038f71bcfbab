"""Prometheus metrics: plain numbers counted per exchange, written as text at the scrape."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from relay.domain.exchange import Exchange
from relay.infra.answers.counts import AnswerCounts
from relay.infra.records.exposition import Family, HistogramFamily, join_pieces

BOUNDS: Final[tuple[float, ...]] = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0
)  # fmt: skip
"""Upper bounds of the latency buckets in seconds; the last one is the total timeout of a provider.

PERF: with this type the compiled form has it as one object; else it would make a tuple for each look-up.
"""

_FIRST_BOUND: Final = 0.0005
"""The first of them. PERF: the relay's own time is nearly always in the first bucket."""


GAUGES: Final = {
    "relay_in_flight": "Calls being answered",
    "relay_connections": "Connections of operators",
    "relay_handshakes": "TLS handshakes of operators under way",
    "relay_institutions": "Institutions in the plan",
    "relay_quota_alone": "1 while this gateway counts by itself, since Redis is unavailable",
    "relay_quota_gateways": "Gateways and workers that share the rates",
    "relay_transfers_known": "Scheduled transfers of this week that this gateway knows, two for one of several pages",
    "relay_transfers_waiting": "Scheduled transfers that the ledger has not stored yet",
    "relay_transfers_lost": "Scheduled transfers since the start that were not kept: they may be repeated",
    "relay_ledger_age_seconds": "Seconds since the last answer of the ledger",
    "relay_authority_age_seconds": "Seconds since the last answer of the authority",
    "relay_adapter_age_seconds": "Seconds since the last answer of the adapter, 0 while no institution needs it",
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
    "relay_plan_reload_failures": "Settings rejected since the start: invalid, or an unexpected error",
    "relay_access_log_lost": "Access records lost because the disk was too slow or full",
    "relay_log_lines_lost": "Log lines of this process lost because standard error was not read",
    "relay_loop_lag_seconds": "Longest delay of the event loop in the last one to two minutes",
    "relay_overload_level": "1 while scheduled transfers are refused for overload, 2 while calls on demand are, too",
    "relay_overload_lag_seconds": "Mean delay of the event loop in the last half second",
    "relay_overload_memory_bytes": "Memory in use that counts for overload: of the gateway, or of its control group",
    "relay_gc_pause_seconds": "Longest garbage collection in the last one to two minutes",
    "relay_tasks": "Tasks of the event loop",
}
"""Gauges that are read at the scrape."""


LATENCIES: Final = {
    "relay_latency_seconds": "Time spent in the relay",
    "relay_upstream_latency_seconds": "Time from asking an institution to its last byte",
    "relay_total_latency_seconds": "Time from a request's last byte to its answer's last byte",
}
"""Histograms of each institution."""


_REQUEST_LABELS: Final = ("api_code", "org_code", "status", "rsp_code")


JOB_GAUGES: Final = {
    "relay_job_failures": "Failures of a job in a row",
    "relay_job_success_age_seconds": "Seconds since the last success of a job on any instance",
}
"""Gauges of each job."""


class Histogram:
    """Numbers of durations up to each bound, and their sum."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class Metrics:
    """Counts exchanges. Label sets are bounded: codes of the catalogue, institutions of the plan, `rsp_codes`.

    `answers` has the counts of checked answers.

    Other codes of providers are counted under "".

    PERF: 1 us for each exchange; labels().inc() and observe() of the client library cost 6.
    """

    def __init__(self, rsp_codes: Collection[str]) -> None:
        self._rsp_codes = frozenset(rsp_codes)
        self.requests: Counter[tuple[str, str, int, str]] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.attempts: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.answers = AnswerCounts()
        self.latency: dict[str, tuple[Histogram, Histogram, Histogram]] = {}

    def record(self, exchanges: Iterable[Exchange]) -> None:
        """Counts closed exchanges."""
        rsp_codes, requests, latency = self._rsp_codes, self.requests, self.latency
        for exchange in exchanges:
            provider = exchange.provider
            rsp_code = exchange.rsp_code
            key = exchange.api_code, provider, exchange.status, rsp_code if rsp_code in rsp_codes else ""
            requests[key] = requests.get(key, 0) + 1
            if exchange.reason:
                self.reasons[exchange.reason, provider] += 1
            if not exchange.industry:  # no data API: at most the authority was called, no institution
                provider = ""
            histograms = latency.get(provider)
            if histograms is None:
                histograms = latency[provider] = (Histogram(), Histogram(), Histogram())
            own_histogram, upstream_histogram, total_histogram = histograms
            total, upstream = exchange.total, exchange.upstream
            # PERF: written out for the three histograms, 0.3 us less than a method of each
            own = total - upstream
            own_histogram.counts[0 if own <= _FIRST_BOUND else bisect_left(BOUNDS, own)] += 1
            own_histogram.seconds += own
            total_histogram.counts[bisect_left(BOUNDS, total)] += 1
            total_histogram.seconds += total
            if attempts := exchange.attempts:
                upstream_histogram.counts[bisect_left(BOUNDS, upstream)] += 1
                upstream_histogram.seconds += upstream
                self.attempts[provider] = self.attempts.get(provider, 0) + attempts
                if attempts > 1:
                    self.retries[provider] += attempts - 1


class RelayCollector:
    """Exposes Metrics, and the gauges and pools at the moment of the scrape.

    Another thread may count meanwhile: each number is read once, and label sets that appear later are left out.
    """

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
        self._jobs = jobs
        self._counters = _build_counters(metrics, rejected)
        self._latencies = [HistogramFamily(name, text, "org_code", BOUNDS) for name, text in LATENCIES.items()]
        self._pool_family = Family("relay_upstream_pool", "gauge", "Connections and requests", ("org_code", "state"))

    def write(self) -> Iterator[bytes]:
        """Yields the text of all metrics, in pieces of less than a millisecond."""
        return join_pieces(self._texts())

    def _texts(self) -> Iterator[str]:
        for family, counts in self._counters:
            yield from family.format(counts)
        for index, histogram_family in enumerate(self._latencies):
            yield from histogram_family.format(self._read_histograms(index))
        for name, value in self._gauges().items():
            yield from Family(name, "gauge", GAUGES[name]).format({(): value})
        for name, by_job in self._jobs().items():
            yield from Family(name, "gauge", JOB_GAUGES[name], ["job"]).format(dict(by_job))
        pools = self._pools()
        connections = {(org_code, state): count for org_code in pools for state, count in pools[org_code].items()}
        yield from self._pool_family.format(connections)
        info = self._info()
        family = Family("relay_info", "gauge", "Version and plan in use", list(info))
        yield from family.format({tuple(info.values()): 1})

    def _read_histograms(self, index: int) -> Iterator[tuple[str, list[int], float]]:
        for org_code in list(self._metrics.latency):
            histogram = self._metrics.latency[org_code][index]
            yield org_code, histogram.counts.copy(), histogram.seconds


def _build_counters(metrics: Metrics, rejected: Mapping[str, int]) -> list[tuple[Family, Mapping[Any, int]]]:
    answers = metrics.answers
    return [
        (
            _counter("relay_requests", "Exchanges by API, institution and answer", *_REQUEST_LABELS),
            metrics.requests,
        ),
        (_counter("relay_faults", "Refused and failed exchanges", "reason", "org_code"), metrics.reasons),
        (_counter("relay_handshakes_rejected", "Rejected TLS handshakes", "reason"), rejected),
        (
            _counter("relay_upstream_attempts", "Requests sent to institutions, and to the authority", "org_code"),
            metrics.attempts,
        ),
        (_counter("relay_upstream_retries", "Requests sent again on a fresh connection", "org_code"), metrics.retries),
        (
            _counter("relay_answers_checked", "Answers checked against the standard", "org_code", "api_code", "result"),
            answers.checked,
        ),
        (
            _counter("relay_answers_broken", "Answers that break a rule", "org_code", "api_code", "rule", "field"),
            answers.broken,
        ),
        (_counter("relay_answers_unknown_codes", "Answers with an unknown code", "org_code", "code"), answers.codes),
        (_counter("relay_answers_skipped", "Answers chosen and not checked", "reason"), answers.skipped),
    ]


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, "counter", text, labels, sample=f"{name}_total")
