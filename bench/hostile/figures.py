"""From single calls to figures: percentiles, ratios, a verdict, a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.box import SIMPLE
from rich.table import Table

RATIO_LIMIT: Final = 1.5
"""p99 beside a hostile peer over p99 in calm: above it the peer hurts others."""

NOISE_MS: Final = 10.0
"""A p99 below this is the machine's scheduling, whatever the ratio says."""

MEMORY_LIMIT: Final = 1.3
"""Memory after a hostile peer over memory before it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the load. `due` is when it had to be sent; `error` is empty when the answer was right."""

    kind: str
    due: float
    ended: float
    tran_id: str
    error: str = ""

    @property
    def ms(self) -> float:
        """Latency from the scheduled time, so that a call that could not be sent counts as slow."""
        return (self.ended - self.due) * 1000


@dataclass(frozen=True, slots=True)
class Phase:
    """Calls of one kind that were due in one span of time."""

    calls: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    first_error: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB."""

    before: float
    after: float

    @property
    def is_flat(self) -> bool:
        """Whether it did not grow beyond the limit."""
        return self.after <= self.before * MEMORY_LIMIT


@dataclass(frozen=True, slots=True)
class Result:
    """What one peer did to the load. `records` is how many access records of good calls were found, of how many."""

    peer: str
    kind: str
    calm: Phase
    beside: Phase
    records: tuple[int, int]
    lost: int
    gateway: Memory
    authority: Memory
    output_mb: float
    attempts: dict[str, int] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """p99 beside the peer over p99 in calm."""
        return round(self.beside.p99_ms / max(self.calm.p99_ms, 0.001), 2)

    @property
    def problems(self) -> list[str]:
        """What is not as it has to be."""
        slow = self.ratio > RATIO_LIMIT and self.beside.p99_ms > NOISE_MS
        recorded, expected = self.records
        named = {
            "slow": slow,
            "failed": self.beside.failed > 0,
            "records": recorded < expected or self.lost > 0,
            "memory": not (self.gateway.is_flat and self.authority.is_flat),
        }
        return [name for name, is_wrong in named.items() if is_wrong]

    def row(self) -> dict[str, Any]:
        """The result as JSON."""
        return asdict(self) | {"ratio": self.ratio, "problems": self.problems}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank); 0 of none."""
    ordered = sorted(values)
    rank = max(0, -(-len(ordered) * share // 1) - 1)
    return ordered[int(rank)] if ordered else 0.0


def phase_of(calls: Sequence[Call]) -> Phase:
    """Figures of calls; failed ones count with the time they took."""
    times = [call.ms for call in calls]
    errors = [call.error for call in calls if call.error]
    p50, p99, most = (round(percentile(times, share), 2) for share in (0.5, 0.99, 1.0))
    return Phase(len(calls), len(errors), p50, p99, most, errors[0] if errors else "")


def due_at(start: float, number: int, rate: float) -> float:
    """When a call of a constant rate is due."""
    return start + number / rate


def count_records(lines: Sequence[str], tran_ids: set[str]) -> int:
    """How many of these calls have exactly one access record."""
    seen: dict[str, int] = {}
    for line in lines:
        tran_id = line.partition('"tran_id":"')[2].partition('"')[0]
        if tran_id in tran_ids:
            seen[tran_id] = seen.get(tran_id, 0) + 1
    return sum(count == 1 for count in seen.values())


def table_of(results: Sequence[Result]) -> Table:
    """For people, in 80 columns; `--json` has every figure."""
    table = Table(title="p99 of good calls in ms, calm and beside a hostile peer", title_justify="left", box=SIMPLE)
    table.add_column("peer", no_wrap=True)
    for head in ("calm", "beside", "ratio", "failed", "gateway MB"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("problems")
    for result in results:
        table.add_row(
            result.peer if result.kind == "data" else f"{result.peer}, {result.kind}",
            f"{result.calm.p99_ms:.1f}",
            f"{result.beside.p99_ms:.1f}",
            f"{result.ratio:.2f}",
            str(result.beside.failed),
            f"{result.gateway.before:.0f}→{result.gateway.after:.0f}",
            ", ".join(result.problems) or "none",
        )
    return table
