"""`mydata-sandbox misbehave`: makes simulated institutions fail, to test an operator."""

import json
from pathlib import Path
from typing import Final

import click

from mydata_sandbox.commands.control_client import call_control
from mydata_sandbox.commands.relay_option import DEFAULT_FOLDER
from mydata_sandbox.institution.failure_modes import FAILURE_MODES, MAX_TIMES, FailureRule, InvalidRule, find_mode

EXAMPLES: Final = """\b
Examples:
  mydata-sandbox misbehave --api 은행-004 --page 2 --how timeout
  mydata-sandbox misbehave --api BA04 --how 42901 --times 3
  mydata-sandbox misbehave --api all --org-code ZCDA000001 --how 50001
  mydata-sandbox misbehave --modes            (what --how can be)
  mydata-sandbox misbehave --list --json
  mydata-sandbox misbehave --clear
"""


@click.command(epilog=EXAMPLES)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True)
@click.option("--api", help="The API that fails: 은행-004, BA04 or all.")
@click.option("--how", help="A failure mode (see --modes) or an rsp_code: 42901, 50001, ...")
@click.option("--page", type=click.IntRange(1), help="Fail this page of a list only.  [default: every page]")
@click.option("--times", type=click.IntRange(1, MAX_TIMES), default=1, show_default=True, help="How many calls fail.")
@click.option("--org-code", default="", help="Only this institution fails.  [default: every one]")
@click.option("--list", "is_list", is_flag=True, help="Print the rules that are left.")
@click.option("--clear", "is_clear", is_flag=True, help="Remove all rules.")
@click.option("--modes", "is_modes", is_flag=True, help="Print the failure modes and what an operator gets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(  # noqa: PLR0913 - one argument for each option
    *,
    folder: Path,
    api: str | None,
    how: str | None,
    page: int | None,
    times: int,
    org_code: str,
    is_list: bool,
    is_clear: bool,
    is_modes: bool,
    as_json: bool,
) -> None:
    """Make institutions of a running sandbox fail.

    The next --times calls of --api fail. The rule that was added first applies first.
    """
    if sum((is_list, is_clear, is_modes, api is not None or how is not None)) != 1:
        raise click.UsageError("use --api with --how, or one of --list, --clear and --modes")
    if is_modes:
        _print_modes(as_json=as_json)
    elif is_clear:
        _print(call_control(folder, "POST", "/failures/clear").strip(), as_json=as_json)
    elif is_list:
        _print_rules(call_control(folder, "GET", "/failures"), as_json=as_json)
    elif api is None or how is None:
        raise click.UsageError("--api and --how go together: mydata-sandbox misbehave --api 은행-004 --how timeout")
    else:
        _check_mode(how)
        values = {"api": api, "how": how, "page": str(page or 0), "times": str(times), "org_code": org_code}
        _print(call_control(folder, "POST", "/failures", values).strip(), as_json=as_json)


def _check_mode(how: str) -> None:
    try:
        find_mode(how)
    except InvalidRule as error:
        raise click.BadParameter(str(error), param_hint="--how") from error


def _print(text: str, *, as_json: bool) -> None:
    click.echo(json.dumps({"result": text}, ensure_ascii=False) if as_json else text)


def _print_rules(text: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(text)
        return
    rules = [FailureRule(**row) for row in json.loads(text)]
    click.echo("\n".join(rule.describe() for rule in rules) or "no institution fails")


def _print_modes(*, as_json: bool) -> None:
    rows = [
        {"how": how, "institution": mode.words, "status": mode.status, "rsp_code": mode.rsp_code}
        for how, mode in FAILURE_MODES.items()
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    click.echo("how                operator gets  the institution")
    for row in rows:
        click.echo(f"{row['how']:18} {row['status']} {row['rsp_code'] or '-':9}  {row['institution']}")
    click.echo(f"{'42901, 50001, ...':18} {'its HTTP status':13}  refuses with this rsp_code")
