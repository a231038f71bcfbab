"""`mydata-sandbox token`: prints an access token of a running sandbox, valid or deliberately wrong."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import jwt

from mydata_sandbox.commands.control_client import call_control, read_facts
from mydata_sandbox.commands.relay_option import DEFAULT_FOLDER
from mydata_sandbox.credentials.certificates import TOKEN_KEYS
from mydata_sandbox.credentials.token_keys import ALGORITHMS, load_token_keys
from mydata_sandbox.credentials.tokens import CLAIMS, change_claims, claims_for, list_scopes, sign
from relay.standard.catalogue import load_catalogue

EXAMPLES: Final = """\b
Examples:
  mydata-sandbox token --org-code ZBAA000001
  mydata-sandbox token --org-code ZBAA000001 --scope bank.list --customer 2
  mydata-sandbox token --org-code ZCDA000001 --client-id ZOPA000002SVC01
  mydata-sandbox token --org-code ZBAA000001 --expires -60    (expired)
  mydata-sandbox token --org-code ZBAA000001 --without exp --claim iat=1
  mydata-sandbox token --org-code ZBAA000001 --unrecorded     (never issued)
"""


@click.command(epilog=EXAMPLES)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True)
@click.option("--org-code", required=True, help="The institution the token is for.")
@click.option("--scope", help="Scopes, separated by blanks.  [default: every scope of its industry]")
@click.option("--client-id", help="The operator's service.  [default: the first service of the first operator]")
@click.option("--customer", type=click.IntRange(1, 3), default=1, show_default=True, help="Whose consent it is.")
@click.option("--expires", type=int, metavar="SECONDS", help="Set exp to now + SECONDS; negative is expired.")
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="Set a claim; VALUE is JSON or text.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave a claim out.")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), help="Sign with the sandbox's key of this algorithm.")
@click.option("--unrecorded", is_flag=True, help="Sign a token that the relay never issued. No sandbox needs to run.")
def command(  # noqa: PLR0913 - one argument for each option
    folder: Path,
    org_code: str,
    scope: str | None,
    client_id: str | None,
    *,
    expires: int | None,
    algorithm: str | None,
    claims: tuple[str, ...],
    without: tuple[str, ...],
    customer: int,
    unrecorded: bool,
) -> None:
    """Print an access token of the sandbox that runs in the folder.

    A simulated operator obtains it from the relay by integrated authentication (통합인증-002). The consent is to all
    assets. It replaces that of the same customer, service and institution and revokes its tokens, as any new consent
    does (규격 2.2).

    --expires, --claim, --without and --algorithm change that token and sign it again with the sandbox's test key.
    """
    facts = read_facts(folder)
    _check_changes(scope, claims, without)
    operator, client = _find_service(facts, client_id)
    industry = facts["institutions"].get(org_code)
    if industry is None and not (unrecorded and scope):
        known = ", ".join(facts["institutions"])
        raise click.BadParameter(f"{org_code} is not one of {known}", param_hint="--org-code")
    if unrecorded:
        scopes = (scope or "").split() or list_scopes(load_catalogue(), industry)
        parties = {"issuer": facts["issuer"], "operator": operator, "provider": org_code, "client_id": client}
        token_claims = claims_for(**parties, scopes=scopes, now=datetime.now(UTC))
    else:
        wanted = {"org_code": org_code, "client_id": client, "scope": scope or "", "customer": str(customer)}
        token: str = json.loads(call_control(folder, "POST", "/tokens", wanted))["access_token"]
        if not (claims or without or algorithm) and expires is None:
            click.echo(token)
            return
        token_claims = jwt.decode(token, options={"verify_signature": False})
    if expires is not None:
        token_claims["exp"] = int(datetime.now(UTC).timestamp()) + expires
    key = load_token_keys(folder / "certs" / TOKEN_KEYS)[algorithm or ALGORITHMS[0]]
    click.echo(sign(change_claims(token_claims, claims, without), key))


def _check_changes(scope: str | None, claims: Sequence[str], without: Sequence[str]) -> None:
    """Raises BadParameter for values that would change nothing, before a token is obtained."""
    if scope is not None and not scope.split():
        raise click.BadParameter("names no scope; leave the option out for all scopes", param_hint="--scope")
    if wrong := [claim for claim in claims if "=" not in claim]:
        raise click.BadParameter(f"{wrong[0]} is not NAME=VALUE", param_hint="--claim")
    known = CLAIMS | {claim.partition("=")[0] for claim in claims}
    if unknown := [name for name in without if name not in known]:
        raise click.BadParameter(f"{unknown[0]} is not one of {', '.join(sorted(known))}", param_hint="--without")


def _find_service(facts: dict[str, Any], client_id: str | None) -> tuple[str, str]:
    """Returns operator and client_id of a service. Raises BadParameter for an unknown one."""
    services = [(operator, client) for operator, clients in facts["operators"].items() for client in clients]
    for operator, client in services:
        if client_id in {None, client}:
            return operator, client
    known = ", ".join(client for _, client in services)
    raise click.BadParameter(f"{client_id} is not one of {known}", param_hint="--client-id")
