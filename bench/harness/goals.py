"""The goals of the data plane, compared with a result of the benchmark."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.tables import Sheet

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and its bound: the largest value, or the smallest if `is_least`."""

    name: str
    bound: float
    read: Callable[[Result], float]
    is_least: bool = False

    def is_reached(self, value: float) -> bool:
        """Returns whether the value is within the bound."""
        return value >= self.bound if self.is_least else value <= self.bound


def _ratio(case: str, peer: str) -> Callable[[Result], float]:
    return lambda result: result["ratios"][case][f"relay_compiled_to_{peer}"]


def _half_load(result: Result) -> float:
    peers = result["half_load"]["peers"]
    return float(peers["relay_compiled"]["added_p99_ms"] / peers["nginx_lua"]["added_p99_ms"])


def _growth(axis: str) -> Callable[[Result], float]:
    return lambda result: result["growth"]["relay_compiled"][axis]["ratio"]


GOALS: Final = (
    Goal("GET, compiled / nginx + Lua", 1.25, _ratio("get", "nginx_lua")),
    Goal("POST, compiled / nginx + Lua", 1.35, _ratio("post", "nginx_lua")),
    Goal("mutual TLS, compiled / nginx + Lua", 1.35, _ratio("get_mtls", "nginx_lua")),
    Goal("1 MB, compiled / nginx + Lua", 1.0, _ratio("get_1m", "nginx_lua")),
    Goal("GET, compiled / HAProxy", 1.0, _ratio("get", "haproxy")),
    Goal("GET, compiled / naive aiohttp", 0.15, _ratio("get", "aiohttp")),
    Goal("p99 added at half load, compiled / nginx + Lua", 1.5, _half_load),
    Goal(
        "longest stall at half load for minutes, compiled, ms",
        5.0,
        lambda result: result["endurance"]["relay_compiled"]["stall_ms"],
    ),
    Goal(
        "throughput of two workers over one, compiled",
        1.8,
        lambda result: result["workers"]["relay_compiled"]["throughput_ratio"],
        is_least=True,
    ),
    Goal(
        "CPU per call of two workers over one, compiled",
        1.05,
        lambda result: result["workers"]["relay_compiled"]["cpu_ratio"],
    ),
    *(
        Goal(f"growth of CPU per call with {axis}, compiled", 1.15, _growth(axis))
        for axis in ("institutions", "operators", "tokens")
    ),
    Goal(
        "memory of an idle mutual-TLS connection, compiled, KB",
        40.0,
        lambda result: result["idle_connections"]["relay_compiled"]["kb_each"],
    ),
)


def compare(result: Result) -> Iterator[tuple[Goal, float]]:
    """Yields each goal whose figure was measured, with the figure."""
    for goal in GOALS:
        try:
            yield goal, goal.read(result)
        except (KeyError, ZeroDivisionError):
            continue  # the part, or the compiled form, was left out; or the peer adds no time


def goals_of(result: Result) -> Sheet:
    """Returns goals, figures, and whether each goal is reached."""
    rows = [
        [
            goal.name,
            f"{'≥' if goal.is_least else '≤'} {goal.bound:g}",
            f"{value:.2f}",
            "yes" if goal.is_reached(value) else "no",
        ]
        for goal, value in compare(result)
    ]
    return Sheet("Goals", ["figure", "goal", "measured", "reached"], rows)
