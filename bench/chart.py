"""Draws CPU per call by case and gateway as horizontal bars in an SVG file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import click
from harness.cases import CASES
from harness.tables import NAMES

EXAMPLES: Final = """\b
Examples, each after .venv/bin/python:
  bench/chart.py bench/out/latest.json docs/design/benchmark.svg
  bench/chart.py bench/out/latest.json /dev/stdout --case get,post
  bench/chart.py --json bench/out/latest.json /dev/stdout     the bars as JSON
"""
WIDTH: Final = 760
LABEL: Final = 130
VALUE: Final = 70
BAR: Final = 16
GAP: Final = 4
CASE_GAP: Final = 20
TITLE: Final = 24

_OWN: Final = {"relay", "relay_compiled"}

STYLE: Final = """\
  <style>
    svg { color-scheme: light dark; }
    text { font: 12px system-ui, sans-serif; fill: #24292f; }
    .title { font-size: 14px; font-weight: 600; }
    .case { font-weight: 600; }
    .own { fill: #0969da; }
    .other { fill: #8c959f; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .own { fill: #4493f8; }
      .other { fill: #6e7681; }
    }
  </style>"""
"""Colours by the reader's theme. The background is transparent; both sets of colours are readable without it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a gateway in a case, and its share of the longest bar of the case."""

    case: str
    gateway: str
    value: float
    share: float


def bars_of(result: dict[str, Any], cases: list[str]) -> Iterator[Bar]:
    """Yields the bars of each case in the order of the tables. Each case has its own scale."""
    for case in cases:
        figures = result["cases"].get(case, {})
        longest = max((cell["cpu_us"] for cell in figures.values()), default=0.0)
        for name in NAMES:
            if name in figures and longest > 0:
                value = figures[name]["cpu_us"]
                yield Bar(case, name, value, value / longest)


def draw(bars: list[Bar], title: str) -> str:
    """Returns the SVG document."""
    lines, y = [], TITLE + GAP
    for number, bar in enumerate(bars):
        if number == 0 or bars[number - 1].case != bar.case:
            y += CASE_GAP
            lines.append(f'  <text class="case" x="0" y="{y}">{escape(CASES[bar.case].shows)}</text>')
            y += GAP * 2
        width = max(1.0, bar.share * (WIDTH - LABEL - VALUE))
        kind, middle = ("own" if bar.gateway in _OWN else "other"), y + BAR - GAP
        lines += [
            f'  <text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(NAMES[bar.gateway])}</text>',
            f'  <rect class="{kind}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'  <text x="{LABEL + width + 6:.1f}" y="{middle}">{bar.value:,.1f}</text>',
        ]
        y += BAR + GAP
    height = y + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">'
    )
    top = f'  <text class="title" x="0" y="{TITLE - GAP}">{escape(title)}</text>'
    return "\n".join([head, STYLE, top, *lines, "</svg>", ""])


@click.command(epilog=EXAMPLES)
@click.argument("latest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--case", "case", default="", help=f"Cases, separated by commas: {', '.join(CASES)}.")
@click.option("--json", "as_json", is_flag=True, help="Write the bars as JSON and no picture.")
def main(*, latest: Path, output: Path, case: str, as_json: bool) -> None:
    """Draw the CPU per call of LATEST (bench/out/latest.json) into the file OUTPUT."""
    names = [name.strip() for name in case.split(",") if name.strip()] or list(CASES)
    if unknown := set(names) - set(CASES):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: there is only {', '.join(CASES)}")
    result = json.loads(latest.read_text(encoding="utf-8"))
    bars = list(bars_of(result, names))
    if not bars:
        raise click.ClickException(f"{latest} has no figures of these cases; run bench/run.py --part cases")
    if as_json:
        rows = [{"case": bar.case, "gateway": bar.gateway, "cpu_us": bar.value} for bar in bars]
        output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
        return
    output.write_text(draw(bars, f"CPU µs per call, {result['at'][:10]}; shorter is better"), encoding="utf-8")


if __name__ == "__main__":
    main()
