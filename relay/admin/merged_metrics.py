"""Merges the metrics of several workers, each as OpenMetrics text, into one text.

Counters and histograms are added. Gauges are added if their total is meaningful (GAUGE_SUMS), otherwise the highest
value counts. Values of ended workers stay in the sums of what counts from the start, so that these never go back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

GAUGE_SUMS: Final = frozenset(
    {
        "relay_in_flight",
        "relay_connections",
        "relay_handshakes",
        "relay_upstream_pool",
        "relay_statistics_waiting",
        "relay_tasks",
        "relay_transfers_waiting",
    }
)
"""Gauges whose values are added."""

KEPT_GAUGES: Final = frozenset(
    {
        "relay_statistics_unattributed",
        "relay_statistics_failures",
        "relay_access_log_lost",
        "relay_log_lines_lost",
        "relay_transfers_lost",
    }
)
"""Gauges that count from the start: values are added, those of ended workers included."""

_TOTALS: Final = frozenset({"counter", "histogram", "summary"})
_END: Final = "# EOF"


@dataclass(slots=True)
class MetricFamily:
    """One metric: its lines of metadata, its type, and values by series (`name{labels}`)."""

    name: str
    metadata: list[str] = field(default_factory=list)
    kind: str = "unknown"
    values: dict[str, float] = field(default_factory=dict)

    @property
    def counts_from_start(self) -> bool:
        """Whether values of ended workers stay in the sums."""
        return self.kind in _TOTALS or self.name in KEPT_GAUGES

    @property
    def is_added(self) -> bool:
        """Whether values are added; otherwise the highest counts."""
        return self.counts_from_start or self.name in GAUGE_SUMS

    def merge(self, other: "MetricFamily") -> None:
        """Merges the values of another worker into these."""
        self.kind, self.metadata = other.kind, other.metadata
        values = self.values
        for series, value in other.values.items():
            former = values.get(series)
            if former is None:
                values[series] = value
            else:
                values[series] = former + value if self.is_added else max(former, value)


Families = dict[str, MetricFamily]
"""Metrics by name, in the order of their text."""


def parse_metrics(text: str) -> Families:
    """Returns the metrics of a text as the relay writes it: metadata before values, no timestamps, no exemplars."""
    families: Families = {}
    family = MetricFamily("")
    for line in text.splitlines():
        if line.startswith("# "):
            if line == _END:
                break
            _, keyword, name, *rest = line.split(" ", 3)
            family = families.setdefault(name, MetricFamily(name))
            family.metadata.append(line)
            if keyword == "TYPE":
                family.kind = rest[0]
        elif line:
            series, _, value = line.rpartition(" ")
            family.values[series] = float(value)
    return families


class MergedMetrics:
    """The metrics of all workers. It keeps what ended workers have counted."""

    def __init__(self) -> None:
        self._ended: Families = {}

    def keep(self, text: str) -> None:
        """Keeps the counts of an ended worker, from its last text."""
        for name, family in parse_metrics(text).items():
            if family.counts_from_start:
                self._ended.setdefault(name, MetricFamily(name)).merge(family)

    def render(self, texts: Iterable[str]) -> bytes:
        """Returns the merged text: the texts of running processes, and what ended ones have counted."""
        merged: Families = {}
        for text in texts:
            for name, family in parse_metrics(text).items():
                merged.setdefault(name, MetricFamily(name)).merge(family)
        for name, ended in self._ended.items():
            merged.setdefault(name, MetricFamily(name)).merge(ended)
        lines = [line for family in merged.values() for line in _format(family)]
        return "\n".join([*lines, _END, ""]).encode()


def _format(family: MetricFamily) -> Iterable[str]:
    return [*family.metadata, *(f"{series} {value!r}" for series, value in family.values.items())]
