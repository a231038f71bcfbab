"""`relay telegram test`: checks the golden files of layouts."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with, pluralize
from relay.runtime.commands.telegram.golden_files import GoldenReport, check_golden, find_golden_files, iter_lines
from relay.runtime.commands.telegram.layouts import Layouts, load_or_exit, open_institution, open_layouts
from relay.runtime.settings.problems import format_path


@click.command(
    "test",
    short_help="Check recorded telegrams (golden files).",
    epilog="""\b
Examples:
  relay telegram test                       every institution
  relay telegram test ZBAC000001
  relay telegram test config/providers/NAME/telegrams --json
  relay telegram test ZBAC000001 --write    JSON files of new telegrams
  relay telegram test ZBAC000001 --update   after a change of a layout
\b
A golden file is NAME.telegram in the folder of layouts or below: the
telegrams of one call, as hex or raw bytes; requests are optional.
NAME begins with the API: BA04.first-page.telegram. Beside it NAME.json
has the call (org_code, parameters), the values of each telegram, status
and rsp_code, the answer, or the error that is expected.
Recorded requests must be those that the relay sends. Responses must be
the same bytes when their values are encoded again; fillers may differ.
"same_bytes": false in NAME.json allows other padding.
Golden files are kept with the layouts: record test customers only.
Exit code 0 when all agree, 1 when one differs, 2 when there are none
or the layouts cannot be used.""",
)
@click.argument("target", required=False, metavar="[FOLDER|ORG_CODE]")
@click.option("--write", is_flag=True, help="Write the JSON files that are missing.")
@click.option("--update", is_flag=True, help="Write the JSON files that are missing or differ.")
@config_option
@json_option
def test(target: str | None, write: bool, update: bool, path: Path, *, as_json: bool) -> None:
    """Check recorded telegrams against their expected values and answers."""
    reports: list[GoldenReport] = []
    for layouts in _list_layouts(target, path):
        for file in find_golden_files(layouts.folder):
            reports.append(check_golden(layouts, file, write=write, update=update))
            if not as_json:
                click.echo("\n".join(iter_lines(reports[-1])))
    if as_json:
        click.echo(json.dumps([_describe(report) for report in reports], ensure_ascii=False, indent=2))
    if not reports:
        exit_with(f"{target or path}: has no golden files; expected: NAME.telegram beside the layouts", EXIT_UNUSABLE)
    failed = sum(not report.is_ok for report in reports)
    if not as_json:
        click.echo(f"{pluralize(len(reports), 'golden file')}, {failed} failed")
    if failed:
        raise SystemExit(EXIT_FAILED)


def _list_layouts(target: str | None, config: Path) -> list[Layouts]:
    """Returns the layouts to test; institutions that share a folder are tested once."""
    if target is not None:
        return [open_layouts(target, config)]
    loaded = load_or_exit(config)
    layouts = [open_institution(loaded, each) for each in loaded.providers if each.org_code in loaded.telegrams]
    return list({each.folder.resolve(): each for each in layouts}.values())


def _describe(report: GoldenReport) -> dict[str, Any]:
    return {
        "file": format_path(report.file),
        "api": report.api,
        "ok": report.is_ok,
        "written": report.written,
        "problem": report.problem,
        "differences": [asdict(difference) for difference in report.differences],
    }
