"""`relay conform`: plays the relay against an institution and reports which rules it breaks."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from relay.domain.ids import INDUSTRIES, ORG_CODE
from relay.infra.conformance.run import run_conformance
from relay.policy.conformance.outcome import Report
from relay.policy.conformance.reports.html_report import build_html_report
from relay.policy.conformance.reports.json_report import build_json_report, build_json_rule
from relay.policy.conformance.reports.junit_report import build_junit_report
from relay.policy.conformance.reports.text_report import wrap, write_text_report
from relay.policy.conformance.rule import LANGUAGES, Text
from relay.policy.conformance.rules import RULES
from relay.policy.conformance.target import Effort, Selection, Target
from relay.runtime.commands.conform.trial_target import (
    TlsFiles,
    Unusable,
    build_contexts,
    build_target,
    find_target,
    read_customers,
)
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with
from relay.standard.catalogue import load_catalogue, load_rsp_codes

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_EXISTING: Final = click.Path(exists=True, dir_okay=False)


@click.command(
    "conform",
    epilog="""\b
Examples:
  relay conform ZBAA000001 --customer file:ci.txt
  relay conform --base-url http://127.0.0.1:8080 --industry bank \\
      --org-code ZBAA000001 --customer env:CI --second-customer env:CI2
  relay conform ZBAA000001 --customer env:CI --only BA04 --only period
  relay conform ZBAA000001 --customer env:CI --html report.html \\
      --junit report.xml
  relay conform --list --lang en
\b
All calls read only. Assets are taken from the lists of the customer, who
should have one asset of each kind and more than one page of
transactions. The report has no values of the customer.
\b
Exit code 0 when no rule is broken, 1 when one is, 2 when the test
could not run.""",
)
@click.argument("org_code", required=False)
@config_option
@click.option("--base-url", default="", metavar="URL", help="Test this server; with ORG_CODE, one of its base_urls.")
@click.option("--industry", type=click.Choice(INDUSTRIES), metavar="INDUSTRY", help="Its industry: bank, card, ...")
@click.option("--org-code", "code", default="", metavar="CODE", help="Its org_code, without settings.")
@click.option("--ca", type=_EXISTING, metavar="FILE", help="CA of its certificate; default: those of the system.")
@click.option("--certificate", type=_EXISTING, metavar="FILE", help="Client certificate of the relay, PEM.")
@click.option("--private-key", metavar="REFERENCE", help="Its key: file:PATH or env:NAME.")
@click.option("--customer", default="", metavar="CI", help="A customer: a CI, file:PATH or env:NAME.")
@click.option("--second-customer", default="", metavar="CI", help="Another one, whose assets must stay hidden.")
@click.option("--left-out", multiple=True, metavar="API", help="An api_code that is not offered; repeat for more.")
@click.option("--only", multiple=True, metavar="NAME", help="Test this rule or API only; repeat for more.")
@click.option(
    "--rate", type=click.FloatRange(0.1, 1000), metavar="N", default=20, show_default=True, help="Calls each second."
)
@click.option(
    "--parallel",
    type=click.IntRange(2, 256),
    metavar="N",
    default=16,
    show_default=True,
    help="Calls at the same time.",
)
@click.option(
    "--assets", type=click.IntRange(1, 100), metavar="N", default=3, show_default=True, help="Assets for each API."
)
@click.option("--lang", type=click.Choice(LANGUAGES), default="ko", show_default=True, help="Language of reports.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of text.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write one self-contained HTML page.")
@click.option("--list", "is_list", is_flag=True, help="Print the rules and test nothing.")
def command(  # noqa: PLR0913, PLR0917 - the options of the command
    org_code: str | None,
    path: Path,
    base_url: str,
    industry: str | None,
    code: str,
    ca: str | None,
    certificate: str | None,
    private_key: str | None,
    customer: str,
    second_customer: str,
    left_out: tuple[str, ...],
    only: tuple[str, ...],
    rate: float,
    parallel: int,
    assets: int,
    lang: str,
    as_json: bool,
    junit: Path | None,
    html: Path | None,
    is_list: bool,
) -> None:
    """Test the institution ORG_CODE of the settings, or the one at --base-url.

    It plays the relay: every API of the industry, pages, periods, wrong
    calls, parallel calls, connections, TLS.
    """
    if is_list:
        _print_rules(lang, as_json=as_json)
        return
    try:
        selection = _select(only)
        customers = read_customers(customer, second_customer)
        if org_code is not None:
            _refuse_options(industry=industry, org_code=code, ca=ca, certificate=certificate, private_key=private_key)
            target, files = find_target(path, org_code, base_url, customers)
        else:
            files = TlsFiles(ca, certificate, private_key)
            target = _build_target(base_url, industry, code, customers, frozenset(left_out), files)
        report = _run(target, files, Effort(rate, parallel, assets), selection, lang)
    except Unusable as error:
        exit_with(str(error), EXIT_UNUSABLE)
    except KeyboardInterrupt:
        exit_with("\ninterrupted: there is no report", EXIT_UNUSABLE)
    _write_files(report, lang, junit, html)
    if as_json:
        click.echo(json.dumps(build_json_report(report), ensure_ascii=False, indent=2))
    else:
        click.echo(write_text_report(report, lang), nl=False)
    if report.problem:
        exit_with(_advise(target, report), EXIT_UNUSABLE)
    if report.violations:
        raise SystemExit(EXIT_FAILED)


def _refuse_options(**options: str | None) -> None:
    """Raises Unusable for options that the settings of ORG_CODE have already."""
    names = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if names:
        raise Unusable(f"{', '.join(names)}: not with ORG_CODE, whose settings say it")


def _build_target(
    base_url: str,
    industry: str | None,
    code: str,
    customers: tuple[str, ...],
    left_out: frozenset[str],
    files: TlsFiles,
) -> Target:
    if not base_url or industry is None or not code:
        raise Unusable("give ORG_CODE of the settings, or --base-url with --industry and --org-code")
    if ORG_CODE.fullmatch(code) is None:
        raise Unusable(f"--org-code {code}: 10 letters or digits are expected")
    return build_target(base_url, industry, code, customers, left_out, files)


def _select(names: tuple[str, ...]) -> Selection:
    """Returns the selection by rules and APIs. Raises Unusable for an unknown name."""
    apis = {name for api in load_catalogue().iter_data_apis() for name in (api.api_id, api.api_code)}
    unknown = [name for name in names if name not in RULES and name not in apis]
    if unknown:
        raise Unusable(f"--only {', '.join(unknown)}: no such rule or API; see `relay conform --list`, `relay apis`")
    rules = frozenset(name for name in names if name in RULES)
    return Selection(rules, frozenset(names) - rules)


def _run(target: Target, files: TlsFiles, effort: Effort, selection: Selection, language: str) -> Report:
    statuses = {code: row.http for code, row in load_rsp_codes().items()}
    run = run_conformance(
        target,
        build_contexts(target, files),
        load_catalogue(),
        statuses,
        effort=effort,
        selection=selection,
        now=datetime.now(UTC),
        progress=partial(_show_progress, language),
    )
    return asyncio.run(run)


def _show_progress(language: str, number: int, total: int, name: Text) -> None:
    """Shows on stderr what is tested now: one line that is replaced on a terminal, else a line for each part."""
    start, end = ("\r\x1b[K", "") if sys.stderr.isatty() else ("", "\n")
    last = start if start and number == total else ""
    click.echo(f"{start}[{number}/{total}] {name.get(language)}{end}{last}", nl=False, err=True)


def _advise(target: Target, report: Report) -> str:
    if target.is_adapted:
        return (
            f"{target.adapter}: no adapter ({report.problem}); {target.org_code} is tested through it: "
            "start `relay serve --role adapter` with these settings"
        )
    return f"{target.base_url}: no connection ({report.problem}); try `relay probe`, or check the URL"


def _write_files(report: Report, language: str, junit: Path | None, html: Path | None) -> None:
    files = ((junit, build_junit_report), (html, build_html_report))
    for file, build in files:
        if file is not None:
            try:
                file.write_text(build(report, language), encoding="utf-8")
            except OSError as error:
                exit_with(f"{file}: cannot be written ({error.strerror})", EXIT_UNUSABLE)


def _print_rules(language: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([build_json_rule(rule) for rule in RULES.values()], ensure_ascii=False, indent=2))
        return
    for rule in RULES.values():
        click.echo(f"{rule.name}  ({rule.get_source(language)})")
        click.echo("\n".join(wrap(rule.expected.get(language), 2)))
