"""`relay check`: reads the settings and reports every problem at once."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from relay.infra.process.cpus import count_usable_cpus
from relay.runtime.commands.options import config_option
from relay.runtime.commands.printing import EXIT_UNUSABLE
from relay.runtime.settings.ending_certificates import find_ending_warnings
from relay.runtime.settings.loading import LoadedSettings, SettingsError, SettingsProblem, load_settings
from relay.runtime.settings.warnings import find_file_warnings, find_layout_warnings, find_setting_warnings
from relay.runtime.settings.worker_warnings import find_worker_warnings
from relay.runtime.wiring.key_files import find_file_problems


@click.command(
    "check",
    epilog="""\b
Examples:
  relay check                            reads config/relay.yaml
  relay check -c /etc/relay/relay.yaml --files    opens certificates, keys
  relay check --json | jq -r '.[].key'   for machines: [] when all is fine

Exit code 0 when all is fine, 2 when there are problems.""",
)
@config_option
@click.option("--files", is_flag=True, help="Open certificates and keys, too, not only yaml files.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of {file, key, wrong, allowed}.")
def command(path: Path, files: bool, as_json: bool) -> None:
    """Read the settings and report every problem at once.

    One line for each problem: file: key: what is wrong, what is allowed. RELAY__SECTION__KEY variables apply.
    Warnings go to stderr and change no exit code.
    """
    now = datetime.now(UTC)
    loaded, problems = _load(path)
    if loaded is not None and files:
        problems = find_file_problems(path, loaded, now)
    if as_json:
        click.echo(json.dumps([asdict(problem) for problem in problems], ensure_ascii=False, indent=2))
    else:
        click.echo(_summary(loaded) if loaded is not None and not problems else "\n".join(map(str, problems)))
    if loaded is not None and not problems and not as_json:
        for warning in [
            *find_setting_warnings(path, loaded),
            *find_layout_warnings(loaded),
            *find_worker_warnings(path, loaded, count_usable_cpus()),
            *find_ending_warnings(path, loaded, now),
            *(find_file_warnings(path, loaded, now) if files else ()),
        ]:
            click.echo(f"warning: {warning}", err=True)
    if problems:
        raise SystemExit(EXIT_UNUSABLE)


def _load(path: Path) -> tuple[LoadedSettings | None, list[SettingsProblem]]:
    try:
        return load_settings(path, os.environ), []
    except SettingsError as error:
        return None, list(error.problems)


def _summary(loaded: LoadedSettings) -> str:
    count = _count(len(loaded.directory.operators), "operator")
    operators = count if loaded.settings.portal is None else "operators from the portal"
    return f"ok: {_count(len(loaded.providers), 'provider')}, {operators}, plan {loaded.fingerprint}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
