"""The result of one state."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Row:
    """What one state showed. A row is ok without problems; `may_lose` is the number of calls it may lose.

    `judges_time` is whether latencies are judged: a test on a loaded machine does not.
    """

    state: str
    lost: int = 0
    doubled: int = 0
    may_lose: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    judges_time: bool = True

    @property
    def ok(self) -> bool:
        """Whether everything that is promised was seen."""
        return not self.problems and self.lost <= self.may_lose and self.doubled == 0

    def require(self, promise: str, holds: object) -> None:
        """Notes a promise that does not hold."""
        if not holds:
            self.problems.append(promise)

    def require_in_time(self, promise: str, holds: object) -> None:
        """Notes a promise about a latency that does not hold."""
        if self.judges_time:
            self.require(promise, holds)

    def describe(self) -> dict[str, Any]:
        """Returns the row for JSON."""
        allowed = {"may_lose": self.may_lose} if self.may_lose else {}
        figures = self.figures | allowed | ({"problems": self.problems} if self.problems else {})
        counts = {"lost": self.lost, "doubled": self.doubled}
        return {"state": self.state, "ok": self.ok, **counts, "figures": figures}
