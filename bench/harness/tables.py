"""Tables of bench/out/latest.json, for the terminal and as Markdown. A part that was not measured has no table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rich.table import Table

from harness.cases import CASES

NAMES: Final = {
    "relay": "relay",
    "relay_compiled": "compiled",
    "nginx_lua": "nginx + Lua",
    "haproxy": "HAProxy",
    "aiohttp": "aiohttp",
    "aiohttp_uvloop": "aiohttp uvloop",
    "floor": "HAProxy TCP",
    "uvloop_floor": "uvloop bytes",
}
"""Columns of gateways, in their order."""

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its title, the heads of its columns and its rows of texts."""

    title: str
    heads: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """Returns the table as Markdown, under a bold title."""
        lines = [f"**{self.title}**", "", _line(self.heads), _line(["---"] * len(self.heads))]
        return "\n".join([*lines, *map(_line, self.rows), ""])

    def rich(self) -> Table:
        """Returns the table for the terminal."""
        table = Table(title=self.title, title_justify="left", padding=(0, 1, 0, 0), show_edge=False)
        for number, head in enumerate(self.heads):
            table.add_column(head, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        return table


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _names(figures: dict[str, Any]) -> list[str]:
    return [name for name in NAMES if name in figures]


def cpu_of(result: Result) -> Sheet:
    """Returns CPU per call by case and gateway."""
    cases, counts = result["cases"], result["runs"]
    names = [name for name in NAMES if any(name in figures for figures in cases.values())]
    rows = [
        [CASES[case].shows, *(f"{figures[name]['cpu_us']:.1f}" if name in figures else "" for name in names)]
        for case, figures in cases.items()
    ]
    title = f"CPU µs per call, medians of {counts['rounds']} runs ({counts['kept']} of {counts['total']} runs kept)"
    return Sheet(title, ["case", *(NAMES[name] for name in names)], rows)


def ratios_of(result: Result) -> Sheet:
    """Returns CPU per call of both forms of the relay over that of the others."""
    columns = [
        (form, peer) for form in ("relay_compiled", "relay") for peer in ("nginx_lua", "haproxy", "aiohttp", "relay")
    ]
    present = [
        (form, peer)
        for form, peer in columns
        if any(f"{form}_to_{peer}" in ratios for ratios in result["ratios"].values())
    ]
    short = {"relay_compiled": "compiled", "relay": "relay"}
    heads = ["case", *(f"{short[form]} / {NAMES[peer]}" for form, peer in present)]
    rows = [
        [CASES[case].shows, *(f"{ratios[f'{form}_to_{peer}']:.2f}" for form, peer in present)]
        for case, ratios in result["ratios"].items()
    ]
    return Sheet("Ratios of CPU per call; below 1 the relay is cheaper", heads, rows)


def runs_of(result: Result) -> Sheet:
    """Returns rates and latencies of the closed loop."""
    rows = [
        [
            case,
            NAMES[name],
            f"{cell['rps']:,.0f}",
            f"{cell['p50_ms']:.2f}",
            f"{cell['p99_ms']:.2f}",
            f"{cell['waited']:.0%}",
            str(cell["errors"]),
            f"{cell['kept']}/{cell['total']}",
        ]
        for case, figures in result["cases"].items()
        for name, cell in figures.items()
    ]
    return Sheet("Closed loop", ["case", "gateway", "calls/s", "p50 ms", "p99 ms", "waited", "errors", "kept"], rows)


def half_load_of(result: Result) -> Sheet:
    """Returns the latency that gateways add at half load, and the longest stall of the relay."""
    own = result["half_load"]
    figures = ({"relay": own} if "rate" in own else {}) | own["peers"]
    rows = [
        [
            NAMES[name],
            f"{figures[name]['rate']:,.0f}",
            *(f"{figures[name][of]:.2f}" for of in ("added_p50_ms", "added_p99_ms", "added_p999_ms")),
            *(f"{figures[name][of]:.1f}" if of in figures[name] else "" for of in ("stall_ms", "busy_ms")),
            f"{figures[name]['waited']:.0%}",
        ]
        for name in _names(figures)
    ]
    heads = ["gateway", "calls/s", "p50", "p99", "p99.9", "longest stall", "longest turn", "waited"]
    return Sheet("Latency added at half load, ms", heads, rows)


def handshakes_of(result: Result) -> Sheet:
    """Returns new mutual-TLS connections."""
    figures = result["handshakes"]["gateways"]
    nginx = figures.get("nginx_lua")
    rows = [
        [
            NAMES[name],
            f"{figures[name]['rps']:,.0f}",
            f"{figures[name]['cpu_us']:,.0f}",
            f"{figures[name]['cpu_us'] / nginx['cpu_us']:.2f}" if nginx else "",
            f"{figures[name]['kept']}/{figures[name]['total']}",
        ]
        for name in _names(figures)
    ]
    heads = ["gateway", "connections/s", "CPU µs", "to nginx + Lua", "kept"]
    return Sheet("New mutual-TLS connections with one call each", heads, rows)


def workers_of(result: Result) -> Sheet:
    """Returns one and two workers."""
    rows = [
        [
            NAMES[form],
            *(f"{figures[count]['rps']:,.0f}" for count in ("1", "2")),
            f"{figures['throughput_ratio']:.2f}",
            *(f"{figures[count]['cpu_us']:.1f}" for count in ("1", "2")),
            f"{figures['cpu_ratio']:.2f}",
            f"{figures['2']['busiest_share']:.0%}",
        ]
        for form, figures in result["workers"].items()
    ]
    cores = next(iter(result["workers"].values()))["cores"]
    heads = ["gateway", "1: calls/s", "2: calls/s", "ratio", "1: CPU µs", "2: CPU µs", "ratio", "busiest"]
    title = f"One and two workers on cores {cores}; the load shares the last core of the machine"
    return Sheet(title, heads, rows)


def growth_of(result: Result) -> Sheet:
    """Returns the growth of CPU per call."""
    rows = [
        [
            NAMES[form],
            axis,
            f"{figures['small']:,} → {figures['large']:,}",
            f"{figures['small_cpu_us']:.1f}",
            f"{figures['large_cpu_us']:.1f}",
            f"{figures['ratio']:.2f}",
            f"{figures['seeding']['kb_each']:.2f} KB each" if "seeding" in figures else "",
        ]
        for form, axes in result["growth"].items()
        for axis, figures in axes.items()
    ]
    heads = ["gateway", "axis", "size", "small µs", "large µs", "ratio", "memory"]
    return Sheet("Growth of CPU per call", heads, rows)


def idle_of(result: Result) -> Sheet:
    """Returns the memory of idle connections."""
    figures = result["idle_connections"]
    rows = [
        [
            NAMES[name],
            f"{figures[name]['connections']:,}",
            f"{figures[name]['kb_each']:.1f}",
            f"{figures[name]['with_mb']:.0f}",
            f"{figures[name]['after_mb']:.0f}",
        ]
        for name in _names(figures)
    ]
    heads = ["gateway", "connections", "KB each", "MB with them", "MB after"]
    return Sheet("Memory of idle mutual-TLS connections after one call each", heads, rows)


def stalled_of(result: Result) -> Sheet:
    """Returns the memory of stalled readers."""
    rows = [
        [NAMES[run["gateway"]], f"{run['answer_mb']:g}", f"{run['grown_mb']:.1f}", str(run["errors"])]
        for run in result["stalled_readers"]["runs"]
    ]
    return Sheet("Memory of 100 stalled readers", ["gateway", "response MB", "grown MB", "errors"], rows)


def endurance_of(result: Result) -> Sheet:
    """Returns the long run at half load."""
    rows = [
        [
            NAMES[form],
            f"{figures['rate']:,.0f}",
            f"{figures['seconds']:,.0f}",
            f"{figures['seeding']['tokens']:,}",
            *(f"{figures[of]:.2f}" for of in ("added_p50_ms", "added_p99_ms", "added_p999_ms")),
            *(f"{figures[of]:.1f}" for of in ("stall_ms", "busy_ms", "collected_ms")),
        ]
        for form, figures in result["endurance"].items()
    ]
    heads = ["gateway", "calls/s", "s", "tokens", "p50", "p99", "p99.9", "stall", "turn", "collection"]
    return Sheet("Half load for minutes, metrics scraped each 5 s, added ms and longest ms", heads, rows)


SHEETS: Final[dict[str, tuple[Callable[[Result], Sheet], ...]]] = {
    "cases": (cpu_of, ratios_of),
    "half_load": (half_load_of,),
    "endurance": (endurance_of,),
    "handshakes": (handshakes_of,),
    "workers": (workers_of,),
    "growth": (growth_of,),
    "idle_connections": (idle_of,),
    "stalled_readers": (stalled_of,),
}
"""Key of the result -> its tables, in the order of the page."""


def sheets_of(result: Result) -> Iterator[Sheet]:
    """Yields the tables of all measured parts."""
    for key, makers in SHEETS.items():
        if result.get(key):
            for make in makers:
                yield make(result)


def tables_of(result: Result) -> Iterator[Table]:
    """Yields the tables for the terminal, with the rates of the closed loop."""
    if result.get("cases"):
        yield runs_of(result).rich()
    for sheet in sheets_of(result):
        yield sheet.rich()
