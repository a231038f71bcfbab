"""`relay providers`: lists the institutions; shows which rules of the standard the answers of one break."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from relay.policy.answers.rules import DESCRIPTIONS, Rule
from relay.policy.settings.directory import Provider
from relay.policy.settings.model import AdminSettings
from relay.policy.settings.scalars import Answers
from relay.runtime.commands.options import config_option, json_option
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with, print_table
from relay.runtime.commands.providers.answer_metrics import AnswerFigures, MetricsUnavailable, fetch_figures
from relay.runtime.settings.loading import LoadedSettings, SettingsError, load_settings

_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to connect instead
_UNKNOWN: Final = "-"

_url_option = click.option(
    "--url", default="", metavar="URL", help="The admin port of a gateway; default: admin.address and admin.port."
)


@click.group(
    "providers",
    epilog="""\b
Examples:
  relay providers list -c /etc/relay/relay.yaml
  relay providers show ZBAA000001
  relay providers show ZBAA000001 --json | jq '.rules[].rule'
  relay providers list --url http://gateway-1:9090
\b
The counts are those of a running gateway since its start.
Exit code 0 when its admin port answers, 1 when it does not,
2 when the settings cannot be used.""",
)
def command() -> None:
    """Institutions (정보제공자) and how their answers are."""


@command.command("list")
@config_option
@_url_option
@json_option
def list_(path: Path, url: str, *, as_json: bool) -> None:
    """List the institutions with their checked answers.

    Broken ones break a rule of the standard.
    """
    loaded = _load(path)
    figures, problem = _fetch(loaded, url)
    rows = [_describe(provider, loaded, figures) for provider in loaded.providers]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        names = ("org_code", "industry", "answers", "checked", "broken", "name")
        cells = ([_UNKNOWN if row[name] is None else row[name] for name in names] for row in rows)
        print_table(names, cells, right={"checked", "broken"})
    _exit(problem)


@command.command("show")
@click.argument("org_code")
@config_option
@_url_option
@json_option
def show(org_code: str, path: Path, url: str, *, as_json: bool) -> None:
    """Show the rules that answers of ORG_CODE break.

    By API, rule and field, with the number of answers. No values are kept.
    """
    loaded = _load(path)
    provider = next((provider for provider in loaded.providers if provider.org_code == org_code), None)
    if provider is None:
        exit_with(f"{org_code}: no institution of {path} has this org_code", EXIT_UNUSABLE)
    figures, problem = _fetch(loaded, url)
    shown = _describe(provider, loaded, figures) | _describe_rules(None if figures is None else figures.get(org_code))
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        _print(shown, is_known=figures is not None)
    _exit(problem)


def _load(path: Path) -> LoadedSettings:
    try:
        return load_settings(path, os.environ)
    except SettingsError as problems:
        exit_with(str(problems), EXIT_UNUSABLE)


def _fetch(loaded: LoadedSettings, url: str) -> tuple[Mapping[str, AnswerFigures] | None, str]:
    """Returns the figures, or None and why there are none."""
    try:
        return fetch_figures(url.rstrip("/") or build_admin_url(loaded.settings.admin)), ""
    except MetricsUnavailable as error:
        return None, str(error)


def build_admin_url(admin: AdminSettings) -> str:
    """Returns the URL of the admin port on this machine."""
    address = _WILDCARDS.get(admin.address, admin.address)
    return f"http://[{address}]:{admin.port}" if ":" in address else f"http://{address}:{admin.port}"


def _exit(problem: str) -> None:
    if problem:
        exit_with(f"no counts: {problem}; is the gateway running? see --url", EXIT_FAILED)


def _describe(
    provider: Provider, loaded: LoadedSettings, figures: Mapping[str, AnswerFigures] | None
) -> dict[str, Any]:
    """Returns an institution with its totals; they are None if no gateway answers."""
    each = AnswerFigures() if figures is None else figures.get(provider.org_code, AnswerFigures())
    answers: Answers = provider.answers or loaded.settings.upstream.answers
    return {
        "org_code": provider.org_code,
        "name": provider.name,
        "industry": provider.industry,
        "base_urls": list(provider.base_urls),
        "answers": answers.value,
        "checked": None if figures is None else each.checked.total(),
        "broken": None if figures is None else each.broken.total(),
    }


def _describe_rules(figures: AnswerFigures | None) -> dict[str, Any]:
    each = figures or AnswerFigures()
    return {
        "apis": [
            {"api_code": api_code, "checked": checked, "broken": each.broken[api_code]}
            for api_code, checked in sorted(each.checked.items())
        ],
        "rules": [
            {
                "api_code": row.api_code,
                "rule": row.rule,
                "field": row.field,
                "answers": row.answers,
                "meaning": DESCRIPTIONS[Rule(row.rule)] if row.rule in set(Rule) else "",
            }
            for row in each.rules
        ],
        "unknown_codes": dict(sorted(each.unknown_codes.items())),
    }


def _print(shown: Mapping[str, Any], *, is_known: bool) -> None:
    for name in ("org_code", "name", "industry", "answers", "checked", "broken"):
        click.echo(f"{name:<10}{_UNKNOWN if shown[name] is None else shown[name]}")
    for url in shown["base_urls"]:
        click.echo(f"{'base_url':<10}{url}")
    if shown["unknown_codes"]:
        codes = ", ".join(f"{code} ({count})" for code, count in shown["unknown_codes"].items())
        click.echo(f"{'codes':<10}unknown to the standard: {codes}")
    if not shown["rules"]:
        if is_known:
            click.echo("\nno rule broken")
        return
    click.echo()
    rows = [[row["api_code"], row["answers"], row["rule"], row["field"] or _UNKNOWN] for row in shown["rules"]]
    print_table(("api_code", "answers", "rule", "field"), rows, right={"answers"})
    click.echo()
    meanings = sorted({(row["rule"], row["meaning"]) for row in shown["rules"]})
    print_table(("rule", "meaning"), meanings)
