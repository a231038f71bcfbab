"""Runs degraded states against real servers: `python -m chaos`."""

import json
import sys
import time

import click

from chaos.page import write_page
from chaos.row import Row
from chaos.runner import LATEST, describe_rows, run_states, save_rows
from chaos.table import State, load_states

WIDTH = 79
EXAMPLES = """\b
Examples:
  make chaos                                   all states
  make chaos ARGS='--only redis_killed'        one state
  make chaos-docs                              write the page again
"""


def wrap(text: str, indent: str = "    ") -> str:
    """Returns text in lines of at most 79 columns."""
    return click.wrap_text(text, WIDTH, indent, indent)


def print_row(row: Row, number: int, total: int, *, to_stderr: bool) -> None:
    """Prints the line of a row, and its problems."""
    verdict = "ok" if row.ok else "NOT OK"
    figures = f"lost {row.lost}, doubled {row.doubled}, {row.figures['seconds']} s"
    click.echo(f"{number:2}/{total} {row.state:32} {verdict:7}{figures}", err=to_stderr)
    for problem in row.problems:
        click.echo(wrap(f"- {problem}"), err=to_stderr)


def list_states(states: dict[str, State]) -> None:
    """Prints names and titles, by group."""
    group = ""
    for state in states.values():
        if state.group != group:
            group = state.group
            click.echo(f"{group}:")
        click.echo(f"  {state.name}\n{wrap(state.title, '      ')}")


@click.command(epilog=EXAMPLES)
@click.option("--only", multiple=True, metavar="NAME", help="Run only this state, or those of this group.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON; progress goes to stderr.")
@click.option("--list", "only_list", is_flag=True, help="List the states.")
@click.option("--docs", is_flag=True, help="Write docs/operate/degraded.md; no state runs.")
@click.option("--keep", is_flag=True, help="With --docs: take the figures of the last run into the page.")
def main(*, only: tuple[str, ...], as_json: bool, only_list: bool, docs: bool, keep: bool) -> None:
    """Produce each degraded state with real servers and compare it with what is promised.

    Exit status 1 if a row is not ok. All traffic stays on loopback. The rows are also in
    tests/chaos/out/latest.json, the logs of the relay beside it.
    """
    states = load_states()
    if only_list:
        list_states(states)
        return
    if docs:
        click.echo(f"written: {write_page(states, take_figures=keep)}")
        return
    unknown = [name for name in only if name not in states and name not in {state.group for state in states.values()}]
    if unknown:
        raise click.BadParameter(f"no such state or group: {', '.join(unknown)}", param_hint="--only")
    chosen = [state for state in states.values() if not only or {state.name, state.group} & set(only)]
    started, rows = time.monotonic(), []

    def report(row: Row) -> None:
        rows.append(row)
        print_row(row, len(rows), len(chosen), to_stderr=as_json)
        save_rows(rows)  # a run that is interrupted keeps its rows

    click.echo(f"{len(chosen)} states", err=as_json)
    run_states(chosen, report)
    failed = sum(not row.ok for row in rows)
    if as_json:
        click.echo(json.dumps(describe_rows(rows), indent=2, ensure_ascii=False))
    seconds = time.monotonic() - started
    click.echo(f"{len(rows) - failed} ok, {failed} not ok, {seconds:.0f} s; rows: {LATEST.name}", err=as_json)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(prog_name="chaos")
