"""Prints a result of the benchmark as Markdown tables."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import click
from harness.goals import goals_of
from harness.layout import OUT
from harness.tables import sheets_of

BEGIN: Final = "<!-- figures of bench/report.py -->"
END: Final = "<!-- end of the figures -->"
EXAMPLES: Final = """\b
Examples, each after .venv/bin/python:
  bench/report.py
  bench/report.py earlier.json
  bench/report.py --into docs/design/benchmark.md
  bench/report.py --json            goals alone, as JSON
"""


def figures_of(result: dict[str, Any]) -> str:
    """Returns the line about the session, the tables, and what was left out."""
    about = result["machine"]
    versions = about["versions"]
    host = f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, Python {versions['python']}"
    peers = f"{versions['nginx'].partition(': ')[2]}, HAProxy {versions['haproxy'].split()[2]}"
    lines = [f"{result['at'][:10]}, {host}, uvloop {versions['uvloop']}, {peers}.", ""]
    goals = goals_of(result)
    sheets = [*sheets_of(result), *([goals] if goals.rows else [])]
    lines += [sheet.markdown() for sheet in sheets]
    lines += [f"Left out: {name} ({reason})." for name, reason in result.get("left_out", {}).items()]
    return "\n".join(lines).rstrip("\n") + "\n"


def replace_figures(page: str, figures: str) -> str:
    """Returns a page with other figures between its marks. Raises ValueError when it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{figures}\n{END}{after}"


@click.command(epilog=EXAMPLES)
@click.argument("latest", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=OUT / "latest.json")
@click.option("--into", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Page to write them into.")
@click.option("--json", "as_json", is_flag=True, help="Print the goals as JSON.")
def main(*, latest: Path, into: Path | None, as_json: bool) -> None:
    """Print the tables of LATEST, by default bench/out/latest.json, as Markdown."""
    result = json.loads(latest.read_text(encoding="utf-8"))
    if as_json:
        rows = [dict(zip(("figure", "goal", "measured", "reached"), row, strict=True)) for row in goals_of(result).rows]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if into is None:
        click.echo(figures_of(result), nl=False)
        return
    try:
        page = replace_figures(into.read_text(encoding="utf-8"), figures_of(result))
    except ValueError as error:
        raise click.ClickException(f"{into}: {error}") from error
    into.write_text(page, encoding="utf-8")
    click.echo(f"{into}: figures replaced", file=sys.stderr)


if __name__ == "__main__":
    main()
