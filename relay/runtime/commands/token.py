"""`relay token`: signs an access token with the sandbox's test key, valid or deliberately wrong."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from relay.domain.ledger import LedgerDown
from relay.infra.ledger.schema import SchemaError
from relay.runtime.processes.sandbox_environment import record_tokens
from relay.runtime.wiring.ledger import LedgerSettingsError
from relay.sandbox.model import FACTS_FILE, load_facts, load_token_key
from relay.sandbox.token_keys import ALGORITHMS
from relay.sandbox.tokens import changed, claims_for, list_scopes, sign
from relay.sandbox.world.model import CUSTOMERS
from relay.standard.catalogue import load_catalogue

EXP_MAX: Final = 2**33
"""The largest time in the ledger; a token may claim more."""

EXAMPLES: Final = """\b
Examples:
  relay token --org-code ZBAA000001
  relay token --org-code ZBAA000001 --scope "bank.list" --expires 60
  relay token --org-code ZCDA000001 --client-id ZOPA000002SVC01
  relay token --org-code ZBAA000001 --without exp --claim iat=1
"""


@click.command(epilog=EXAMPLES)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=".sandbox", show_default=True)
@click.option("--org-code", required=True, help="The institution the token is for.")
@click.option("--scope", help="Scopes, separated by blanks.  [default: every scope of its industry]")
@click.option("--client-id", help="The operator's service.  [default: the first service of the first operator]")
@click.option("--expires", type=int, default=3600, show_default=True, help="Seconds from now; negative is expired.")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="ES256", show_default=True)
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="Set a claim; VALUE is JSON or text.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave a claim out.")
@click.option("--customer", type=click.IntRange(1, 3), default=1, show_default=True, help="Whose consent it is.")
@click.option("--unrecorded", is_flag=True, help="Write nothing into the ledger: the token counts as never issued.")
def command(  # noqa: PLR0913 - one argument for each option
    folder: Path,
    org_code: str,
    scope: str | None,
    client_id: str | None,
    *,
    expires: int,
    algorithm: str,
    claims: tuple[str, ...],
    without: tuple[str, ...],
    customer: int,
    unrecorded: bool,
) -> None:
    """Sign an access token with the sandbox's key and write its consent into the sandbox's ledger.

    The consent is to all assets. It replaces that of the same customer, service and institution and revokes its token,
    as any new consent does (규격 2.2).
    """
    if not (folder / FACTS_FILE).exists():
        raise click.ClickException(f"no sandbox in {folder}; `relay sandbox` makes one, --dir names another")
    if wrong := [claim for claim in claims if "=" not in claim]:
        raise click.BadParameter(f"{wrong[0]} is not NAME=VALUE", param_hint="--claim")
    facts = load_facts(folder)
    operator, client = _find_service(facts, client_id)
    right_claims = claims_for(
        issuer=facts["issuer"],
        operator=operator,
        provider=org_code,
        client_id=client,
        scopes=(scope or "").split() or list_scopes(load_catalogue(), _industry(facts, org_code)),
        now=datetime.now(UTC),
        expires=expires,
    )
    token_claims = changed(right_claims, claims, without)
    if not unrecorded:
        _record(folder, _recordable(right_claims, token_claims), customer)
    click.echo(sign(token_claims, load_token_key(folder, algorithm)))


def _recordable(right: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
    """Returns the claims for the ledger: those of the right type, else the right ones."""
    fitting = {name: value for name, value in claims.items() if type(value) is type(right.get(name)) and value}
    return {**right, **fitting, "exp": min(fitting.get("exp", right["exp"]), EXP_MAX)}


def _record(folder: Path, claims: dict[str, Any], customer: int) -> None:
    try:
        asyncio.run(record_tokens(folder / "relay.yaml", [claims], CUSTOMERS[customer - 1]))
    except (LedgerSettingsError, SchemaError, LedgerDown) as error:
        raise click.ClickException(f"the token was not written into the sandbox's ledger: {error}") from error


def _find_service(facts: dict[str, Any], client_id: str | None) -> tuple[str, str]:
    services = [(operator, client) for operator, clients in facts["operators"].items() for client in clients]
    for operator, client in services:
        if client_id in {None, client}:
            return operator, client
    known = ", ".join(client for _, client in services)
    raise click.BadParameter(f"{client_id} is not one of {known}", param_hint="--client-id")


def _industry(facts: dict[str, Any], org_code: str) -> str:
    industry: str | None = facts["institutions"].get(org_code)
    if industry is None:
        known = ", ".join(facts["institutions"])
        raise click.BadParameter(f"{org_code} is not one of {known}; name its --scope", param_hint="--org-code")
    return industry
