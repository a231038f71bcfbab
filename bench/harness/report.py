"""Builds the medians and ratios of bench/out/latest.json from runs."""

from collections.abc import Iterable
from dataclasses import asdict
from statistics import median
from typing import Any, Final, TypeVar

from harness.gateways import RELAY_FORMS
from harness.measure import STEAL_LIMIT, Pair, Run, Stalled

Measured = TypeVar("Measured", Run, Pair)
PEERS: Final = ("nginx_lua", "haproxy", "aiohttp", "floor", "uvloop_floor", "aiohttp_uvloop", "relay")
LATENCIES: Final = ("p50_ms", "p99_ms", "p999_ms")


def undisturbed(runs: list[Measured]) -> list[Measured]:
    """Returns the runs without steal time; all of them when there is none."""
    return [run for run in runs if run.is_counted] or runs


def summary(runs: list[Run]) -> dict[str, Any]:
    """Returns medians of one gateway in one case."""
    used = undisturbed(runs)
    first = next((run.load.first_error for run in runs if run.load.first_error), None)
    return {
        "cpu_us": round(median(run.cpu_us for run in used), 2),
        "cpu_us_ticks": round(median(run.ticks_us for run in used), 2),
        "rps": round(median(run.load.rps for run in used), 1),
        "p50_ms": round(median(run.load.p50_ms for run in used), 3),
        "p99_ms": round(median(run.load.p99_ms for run in used), 3),
        "p999_ms": round(median(run.load.p999_ms for run in used), 3),
        "waited": round(median(run.waited for run in used), 3),
        "errors": sum(run.load.errors for run in runs),
        "kept": sum(run.is_counted for run in runs),
        "total": len(runs),
        "cpu_us_runs": [round(run.cpu_us, 2) for run in runs],
    } | ({"first_error": first} if first else {})


def cases_of(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Returns medians by case and gateway."""
    names = dict.fromkeys((run.case, run.gateway) for run in runs)
    cases: dict[str, dict[str, Any]] = {}
    for case, gateway in names:
        mine = [run for run in runs if (run.case, run.gateway) == (case, gateway)]
        cases.setdefault(case, {})[gateway] = summary(mine)
    return cases


def ratios_of(cases: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Returns CPU per request of each form of the relay over that of each peer: below 1 the relay is cheaper."""
    return {
        case: {
            f"{form}_to_{peer}": round(figures[form]["cpu_us"] / figures[peer]["cpu_us"], 3)
            for form in RELAY_FORMS
            for peer in PEERS
            if form in figures and peer in figures and form != peer
        }
        for case, figures in cases.items()
        if any(form in figures for form in RELAY_FORMS)
    }


def _added(pairs: list[Pair], rate: float) -> dict[str, Any]:
    used = undisturbed(pairs)

    def middle(of: str, side: str) -> float:
        return float(median(getattr(getattr(pair, side), of) for pair in used))

    return {
        "rate": round(rate, 1),
        **{f"added_{of}": round(middle(of, "through") - middle(of, "direct"), 3) for of in LATENCIES},
        "direct": {of: round(middle(of, "direct"), 3) for of in (*LATENCIES, "rps")},
        "through": {of: round(middle(of, "through"), 3) for of in (*LATENCIES, "rps")},
        "waited": round(median(pair.waited for pair in used), 3),
        "errors": sum(pair.through.errors + pair.direct.errors for pair in pairs),
        "kept": sum(pair.is_counted for pair in pairs),
        "total": len(pairs),
    } | _lag(used)


def _lag(pairs: list[Pair]) -> dict[str, float]:
    """Returns the longest times that the probe of a relay saw in any run."""
    lags = [asdict(pair.lag) for pair in pairs if pair.lag]
    return {name: max(lag[name] for lag in lags) for name in lags[0]} if lags else {}


def half_load_of(pairs: dict[str, list[Pair]], rates: dict[str, float]) -> dict[str, Any]:
    """Returns the figures of the pure relay, with those of the other gateways in `peers`."""
    added = {name: _added(mine, rates[name]) for name, mine in pairs.items()}
    return added.get("relay", {}) | {"peers": {name: figures for name, figures in added.items() if name != "relay"}}


def stalled_of(results: Iterable[Stalled]) -> dict[str, Any]:
    """Returns all measurements; `stalled_readers_mb` is the relay's growth for 100 readers of 1 MB."""
    every = list(results)
    listed = [
        {
            "gateway": result.gateway,
            "connections": result.connections,
            "answer_mb": result.answer_mb,
            "grown_mb": round(result.grown_mb, 2),
            "before_mb": round(result.before_mb, 2),
            "errors": result.load.errors,
        }
        for result in every
    ]
    own = [result.grown_mb for result in every if result.gateway == "relay" and result.answer_mb == 1]
    return {"stalled_readers_mb": round(own[0], 2) if own else None, "runs": listed}


def counted(runs: list[Run]) -> dict[str, Any]:
    """Returns how many runs were kept, and the limit."""
    return {"kept": sum(run.is_counted for run in runs), "total": len(runs), "steal_limit": STEAL_LIMIT}
