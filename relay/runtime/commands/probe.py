"""`relay probe`: calls one institution and shows each step, so that one sees where it fails and why."""

import asyncio
import json
import os
import secrets
import string
from dataclasses import asdict
from pathlib import Path
from typing import Final, NoReturn

import click

from relay.infra.diagnostics.probe import Probe, Step
from relay.infra.upstream.tls import TlsError
from relay.policy.settings.directory import Provider
from relay.policy.settings.scalars import ProviderTimeouts
from relay.runtime.commands.printing import print_table
from relay.runtime.settings.loading import ConfigProblems, load
from relay.runtime.settings.secret_references import SecretMissing
from relay.runtime.wiring.credentials import MaterialError, provider_context

FAILED: Final = 1
"""Exit code when a step failed."""
UNUSABLE: Final = 2
"""Exit code when settings cannot be used or name no such institution."""

_FREE: Final = string.digits + string.ascii_uppercase


@click.command(
    "probe",
    epilog="""\b
Examples:
  relay probe ZBAA000001                              each of its base_urls, step by step
  relay probe ZBAA000001 -c /etc/relay/relay.yaml
  relay probe ZBAA000001 --json | jq '.[] | select(.ok | not)'
\b
Steps: dns, connect, tls (not on a leased line), request, answer. The call is GET /INDUSTRY/apis; it names no customer.
Exit code 0 when every step went well, 1 when one failed, 2 when the settings cannot be used.""",
)
@click.argument("org_code")
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("config/relay.yaml"),
    show_default=True,
    help="The relay's settings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of {base_url, step, ok, ms, detail}.")
def command(org_code: str, path: Path, as_json: bool) -> None:
    """Call the institution ORG_CODE and show DNS, connection, TLS, request and answer."""
    try:
        loaded = load(path, os.environ)
        provider = next((one for one in loaded.providers if one.org_code == org_code), None)
        if provider is None:
            _refuse(f"{org_code}: no institution of {path} has this org_code")
        relay = loaded.settings.relay.org_code
        tran_id = f"{relay}R{''.join(secrets.choice(_FREE) for _ in range(14))}"
        steps = asyncio.run(_probe(provider, tran_id))
    except ConfigProblems as problems:
        _refuse(str(problems))
    except (TlsError, MaterialError, SecretMissing) as error:
        _refuse(str(error))
    if as_json:
        click.echo(json.dumps([asdict(step) for step in steps], ensure_ascii=False, indent=2))
    else:
        rows = ([one.base_url, one.step, "ok" if one.ok else "FAILED", f"{one.ms:.1f}", one.detail] for one in steps)
        print_table(("base_url", "step", "result", "ms", "detail"), rows, right={"ms"})
    if not all(step.ok for step in steps):
        raise SystemExit(FAILED)


async def _probe(provider: Provider, tran_id: str) -> list[Step]:
    context, timeouts = provider_context(provider), provider.timeouts or ProviderTimeouts()
    target = f"/{provider.industry}/apis?org_code={provider.org_code}"
    probes = [Probe(url, context, timeouts, target, tran_id) for url in provider.base_urls]
    return [step for probe in probes for step in await probe.run()]


def _refuse(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(UNUSABLE)
