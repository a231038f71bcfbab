"""From runs to medians, ratios, a table and bench/out/latest.json."""

from collections.abc import Iterable
from statistics import median
from typing import Any, Final, TypeVar

from rich.table import Table

from rig.cases import CASES
from rig.measure import STEAL_LIMIT, Pair, Run, Stalled

Measured = TypeVar("Measured", Run, Pair)
PEERS: Final = ("aiohttp", "haproxy", "nginx_lua", "floor", "aiohttp_uvloop")


def kept_of(runs: list[Measured]) -> list[Measured]:
    """Runs the host left alone; when it left none alone, all of them, and the count of kept says 0."""
    return [run for run in runs if run.kept] or runs


def summary(runs: list[Run]) -> dict[str, Any]:
    """Medians of one gateway in one case."""
    used = kept_of(runs)
    first = next((run.load.first_error for run in runs if run.load.first_error), None)
    return {
        "cpu_us": round(median(run.cpu_us for run in used), 2),
        "cpu_us_ticks": round(median(run.ticks_us for run in used), 2),
        "rps": round(median(run.load.rps for run in used), 1),
        "p50_ms": round(median(run.load.p50_ms for run in used), 3),
        "p99_ms": round(median(run.load.p99_ms for run in used), 3),
        "waited": round(median(run.waited for run in used), 3),
        "errors": sum(run.load.errors for run in runs),
        "kept": sum(run.kept for run in runs),
        "total": len(runs),
        "cpu_us_runs": [round(run.cpu_us, 2) for run in runs],
    } | ({"first_error": first} if first else {})


def cases_of(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Case, gateway, medians."""
    names = dict.fromkeys((run.case, run.gateway) for run in runs)
    found: dict[str, dict[str, Any]] = {}
    for case, gateway in names:
        mine = [run for run in runs if (run.case, run.gateway) == (case, gateway)]
        found.setdefault(case, {})[gateway] = summary(mine)
    return found


def ratios_of(cases: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """CPU per request of the relay over each peer's: below one the relay is cheaper."""
    return {
        case: {
            f"relay_to_{peer}": round(found["relay"]["cpu_us"] / found[peer]["cpu_us"], 3)
            for peer in PEERS
            if peer in found
        }
        for case, found in cases.items()
        if "relay" in found
    }


def _added(pairs: list[Pair], rate: float) -> dict[str, Any]:
    used = kept_of(pairs)

    def middle(of: str, side: str) -> float:
        return median(getattr(getattr(pair, side), of) for pair in used)

    return {
        "rate": round(rate, 1),
        "added_p50_ms": round(middle("p50_ms", "through") - middle("p50_ms", "direct"), 3),
        "added_p99_ms": round(middle("p99_ms", "through") - middle("p99_ms", "direct"), 3),
        "direct": {of: round(middle(of, "direct"), 3) for of in ("p50_ms", "p99_ms", "rps")},
        "through": {of: round(middle(of, "through"), 3) for of in ("p50_ms", "p99_ms", "rps")},
        "waited": round(median(pair.waited for pair in used), 3),
        "errors": sum(pair.through.errors + pair.direct.errors for pair in pairs),
        "kept": sum(pair.kept for pair in pairs),
        "total": len(pairs),
    }


def half_load_of(pairs: dict[str, list[Pair]], rates: dict[str, float]) -> dict[str, Any]:
    """The relay's figures on top, those of its peers beside them."""
    found = {name: _added(mine, rates[name]) for name, mine in pairs.items()}
    return found.get("relay", {}) | {"peers": {name: figures for name, figures in found.items() if name != "relay"}}


def stalled_of(results: Iterable[Stalled]) -> dict[str, Any]:
    """`stalled_readers_mb` is the relay's growth for 100 readers of 1 MB; every measurement is listed."""
    every = list(results)
    listed = [
        {
            "gateway": one.gateway,
            "connections": one.connections,
            "answer_mb": one.answer_mb,
            "grown_mb": round(one.grown_mb, 2),
            "before_mb": round(one.before_mb, 2),
            "errors": one.load.errors,
        }
        for one in every
    ]
    own = [one.grown_mb for one in every if one.gateway == "relay" and one.answer_mb == 1]
    return {"stalled_readers_mb": round(own[0], 2) if own else None, "runs": listed}


def table_of(cases: dict[str, dict[str, Any]]) -> Table:
    """For people."""
    table = Table(title="CPU per request (medians; ratio: relay / gateway)", title_justify="left")
    table.add_column("case")
    table.add_column("gateway")
    for head in ("CPU µs", "ratio", "req/s", "p50 ms", "p99 ms", "waited", "errors", "kept"):
        table.add_column(head, justify="right")
    for case, found in cases.items():
        for number, (gateway, figures) in enumerate(found.items()):
            last = number == len(found) - 1
            relay = found.get("relay")
            table.add_row(
                CASES[case].shows if number == 0 else "",
                gateway,
                f"{figures['cpu_us']:.1f}",
                f"{relay['cpu_us'] / figures['cpu_us']:.2f}" if relay else "",
                f"{figures['rps']:,.0f}",
                f"{figures['p50_ms']:.2f}",
                f"{figures['p99_ms']:.2f}",
                f"{figures['waited']:.0%}",
                str(figures["errors"]),
                f"{figures['kept']}/{figures['total']}",
                end_section=last,
            )
    return table


def counted(runs: list[Run]) -> dict[str, Any]:
    """How many runs were kept, and the rule."""
    return {"kept": sum(run.kept for run in runs), "total": len(runs), "steal_limit": STEAL_LIMIT}
