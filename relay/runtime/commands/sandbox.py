"""`relay sandbox`: runs relay, institutions and portal on loopback until a signal."""

import asyncio
import json
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
from aiohttp import web

from relay.domain.ledger import LedgerDown
from relay.infra.ledger.schema import SchemaError
from relay.policy.response.conformance import find_violations
from relay.runtime.processes.sandbox_environment import RelayDied, RunningEnvironment, run, running_environment
from relay.runtime.wiring.ledger import LedgerSettingsError
from relay.sandbox.authority_client import AuthorityClient
from relay.sandbox.browser_client import PageFlowError
from relay.sandbox.config_files import APP_SCHEME
from relay.sandbox.customers import get_ci
from relay.sandbox.login import LOGINS
from relay.sandbox.model import RELAY_CODE, Portal, SandboxEnvironment
from relay.sandbox.operator import IssuedToken, open_session
from relay.sandbox.portal.control import Control
from relay.sandbox.portal_registration import now
from relay.sandbox.portal_scenario import open_callers, wait_for_registration
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER

GATEWAY_PORT: Final = 18443
ADMIN_PORT: Final = 18090
PAGES_PORT: Final = 18444
CONTROL_PORT: Final = 18091
LISTENERS: Final = ("gateway", "admin", "pages", "control")
PAGE_SERVICE: Final = 1
"""Index of the operator's service that the printed page belongs to."""
TOKEN_S: Final = int(timedelta(hours=12).total_seconds())
EXAMPLES: Final = """\b
Examples:
  relay sandbox
  relay sandbox --dir /tmp/sandbox --gateway-port 9443
  relay sandbox --json > facts.json &     (addresses, files, tokens, pid)
  curl http://127.0.0.1:18091/            (the portal: docs/reference/portal-sandbox.md)
"""


@click.command(epilog=EXAMPLES)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=".sandbox", show_default=True)
@click.option("--gateway-port", type=click.IntRange(0, 65535), default=GATEWAY_PORT, show_default=True)
@click.option("--admin-port", type=click.IntRange(0, 65535), default=ADMIN_PORT, show_default=True)
@click.option("--pages-port", type=click.IntRange(0, 65535), default=PAGES_PORT, show_default=True)
@click.option("--control-port", type=click.IntRange(0, 65535), default=CONTROL_PORT, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object on the first line.")
def command(
    folder: Path, gateway_port: int, admin_port: int, pages_port: int, control_port: int, *, as_json: bool
) -> None:
    """Start relay and sandbox on loopback and leave them running.

    A port that is taken is replaced by a free one. Ctrl-C or SIGTERM stops everything.
    """
    try:
        run(_serve(folder, (gateway_port, admin_port, pages_port), control_port, as_json=as_json))
    except BlockingIOError as error:
        raise click.ClickException(f"another sandbox runs in {folder}; --dir names another folder") from error
    except (RelayDied, PageFlowError, LedgerSettingsError, SchemaError, LedgerDown, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _serve(folder: Path, ports: tuple[int, int, int], control_port: int, *, as_json: bool) -> None:
    async with (
        running_environment(folder, ports, portal=True, control_port=control_port) as running,
        _serve_control_api(running) as portal,
    ):
        tokens, page = await running.issue_tokens(TOKEN_S), await _start_login(running)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)  # stopping is success from now on
        if as_json:
            click.echo(json.dumps(_facts(running, portal, tokens, page), ensure_ascii=False))
        else:
            _print_replaced_ports(running.street, portal, (*ports, control_port))
            click.echo(_describe(running, portal, tokens, page))
        ended, stopped = asyncio.ensure_future(running.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not stop.is_set():
            raise RelayDied(f"the relay ended by itself; see {folder / 'relay.log'}")
        ended.cancel()


def _print_replaced_ports(environment: SandboxEnvironment, portal: Portal, wanted: Sequence[int]) -> None:
    control_port = portal.control.getsockname()[1]
    actual = (environment.gateway_port, environment.admin_port, environment.pages_port, control_port)
    for name, wanted_port, port in zip(LISTENERS, wanted, actual, strict=True):
        if wanted_port not in {0, port}:
            click.echo(f"note: port {wanted_port} is taken, the {name} listens on {port}")


@asynccontextmanager
async def _serve_control_api(running: RunningEnvironment) -> AsyncIterator[Portal]:
    """Serves the control API of the sandbox's portal."""
    environment, portal = running.street, running.street.portal
    if portal is None or running.portal is None:
        raise RuntimeError("a sandbox has a portal")
    async with open_callers(environment, portal, running.catalogue, find_violations) as callers:
        runner = web.AppRunner(Control(running.portal, callers.portal, RELAY_CODE, now).application(), access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, portal.control).start()
            yield portal
        finally:
            await runner.cleanup()


async def _start_login(running: RunningEnvironment) -> str:
    """Returns the URL of the bank's login page for the first customer, as soon as the relay has its registry.

    It belongs to the second service: a consent to the first would revoke the printed token.
    """
    environment = running.street
    caller, bank = environment.operators[0], environment.institutions["bank"]
    async with open_session(caller.identity, environment.certificates.ca) as session:
        client = AuthorityClient(
            session, environment.gateway, caller, running.catalogue, find_violations
        ).select_service(PAGE_SERVICE)
        if problem := await wait_for_registration(lambda: client.check_registration(bank)):
            log = environment.folder / "relay.log"
            raise RelayDied(f"the relay got no registry from the portal ({problem}); see {log}")
        return await client.authorize(bank, LOGINS[0].customer)


def _facts(running: RunningEnvironment, portal: Portal, tokens: Sequence[IssuedToken], page: str) -> dict[str, Any]:
    environment = running.street
    certs = environment.certificates.folder.resolve()
    names = sorted(key.name.removesuffix(".key.pem") for key in certs.glob("*.key.pem"))
    return {
        "gateway": environment.gateway,
        "admin": environment.admin,
        "pages": environment.pages,
        "portal": portal.url,
        "control": portal.control_url,
        "page": page,
        "logins": {login.login_id: login.password for login in LOGINS},
        "metrics": f"{environment.admin}/metrics",
        "pid": running.pid,
        "folder": str(environment.folder.resolve()),
        "settings": str(environment.settings.resolve()),
        "ca": str(certs / "ca.pem"),
        "issuer": RELAY_CODE,
        "certs": {name: str(certs / f"{name}.pem") for name in names if not name.startswith("token-")},
        "keys": {name: str(certs / f"{name}.key.pem") for name in names},
        "operators": [
            {
                "org_code": operator.org_code,
                "name": operator.name,
                "client_ids": list(operator.client_ids),
                "client_secrets": list(operator.client_secrets),
                "callback": operator.callback,
                "app_scheme": APP_SCHEME,
            }
            for operator in environment.operators
        ],
        "customers": {login.login_id: get_ci(login.customer) for login in LOGINS},
        "certifiers": {"identity": IDENTITY_CERTIFIER, "signature": SIGNATURE_CERTIFIER},
        "org_codes": {industry: institution.org_code for industry, institution in environment.institutions.items()},
        "providers": {
            institution.org_code: f"https://127.0.0.1:{institution.port}"
            for institution in environment.institutions.values()
        },
        "tokens": {token.org_code: token.token for token in tokens},
    }


def _token_command(folder: Path, org_code: str) -> str:
    """Returns a command line that runs from any folder and does not revoke the printed token."""
    installed = Path(sys.executable).with_name("relay")
    on_path = shutil.which("relay")
    program = ["relay"] if on_path and Path(on_path).samefile(installed) else [sys.executable, "-m", "relay"]
    options = ["--dir", str(folder.resolve()), "--org-code", org_code, "--scope", "bank.list", "--customer", "2"]
    return shlex.join([*program, "token", *options])


def _describe(running: RunningEnvironment, portal: Portal, tokens: Sequence[IssuedToken], page: str) -> str:
    environment = running.street
    operator = environment.operators[0]
    bank = environment.institutions["bank"]
    institutions = "\n".join(
        f"  {institution.org_code}  {institution.industry:8} {institution.name}"
        for institution in environment.institutions.values()
    )
    others = ", ".join(f"{login.login_id} {login.password}" for login in LOGINS[1:])
    files = " ".join(
        f"{flag} {shlex.quote(str(path))}"
        for flag, path in (
            ("--cacert", environment.certificates.ca),
            ("--cert", operator.identity.certificate),
            ("--key", operator.identity.private_key),
        )
    )
    return f"""relay     {environment.gateway}  (mutual TLS, pid {running.pid})
metrics   {environment.admin}/metrics
portal    {portal.url}  (mutual TLS; its registry and failure modes: curl {portal.control_url}/)
settings  {environment.settings}
logs      {environment.folder / "relay.log"}, {environment.folder / "access.log"}
institutions
{institutions}

Call the relay as {operator.name} ({operator.org_code}):

curl {files} \\
  -H 'Authorization: Bearer {tokens[0].token}' \\
  -H 'x-api-tran-id: {operator.org_code}M00000000000001' -H 'x-api-type: user-refresh' \\
  '{environment.gateway}/v1/bank/accounts?org_code={bank.org_code}&search_timestamp=0&limit=20'

Open the pages of individual authentication in a browser, once and within an hour:
{page}
Log in as {LOGINS[0].login_id} with {LOGINS[0].password} (other customers: {others}; the page
rejects them). The sandbox signs the certificate. With the code that the callback shows:

curl {files} -H 'x-api-tran-id: {operator.org_code}M00000000000002' \\
  -d grant_type=authorization_code -d code=CODE -d org_code={bank.org_code} -d redirect_uri={operator.callback} \\
  -d client_id={operator.client_ids[PAGE_SERVICE]} -d client_secret={operator.client_secrets[PAGE_SERVICE]} \\
  '{environment.gateway}/oauth/2.0/token'

More tokens: {_token_command(environment.folder, bank.org_code)}
Stop: Ctrl-C"""
