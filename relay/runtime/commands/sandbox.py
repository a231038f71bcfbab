"""`relay sandbox`: relay, street and portal on loopback until they are told to stop."""

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

from relay.domain.ledger import Unreachable
from relay.infra.ledger.schema import SchemaProblem
from relay.policy.answer.conformance import faults_of
from relay.runtime.processes.sandbox_environment import Neighbourhood, RelayDied, neighbourhood, run
from relay.runtime.wiring.ledger import LedgerUnfit
from relay.sandbox.customers import ci_of
from relay.sandbox.errands import Errands
from relay.sandbox.houses import RELAY_CODE, Portal
from relay.sandbox.login import LOGINS
from relay.sandbox.operator import Visit, session_of
from relay.sandbox.papers import APP_SCHEME
from relay.sandbox.phone import Stuck
from relay.sandbox.portal.control import Control
from relay.sandbox.portal_day import callers_of, settled
from relay.sandbox.registered import now
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER

GATEWAY_PORT: Final = 18443
ADMIN_PORT: Final = 18090
PAGES_PORT: Final = 18444
CONTROL_PORT: Final = 18091
DOORS: Final = ("gateway", "admin", "pages", "control")
WALKED: Final = 1
"""The service, by its place, that the printed page is for."""
TOKEN_S: Final = int(timedelta(hours=12).total_seconds())
EXAMPLES: Final = """\b
Examples:
  relay sandbox
  relay sandbox --dir /tmp/street --gateway-port 9443
  relay sandbox --json > facts.json &     (for programs: addresses, files, tokens, pid)
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
    """Start relay and street on loopback and leave them running.

    A port that is taken is replaced by a free one. Ctrl-C or SIGTERM stops everything.
    """
    try:
        run(_stay(folder, (gateway_port, admin_port, pages_port), control_port, as_json=as_json))
    except BlockingIOError as error:
        raise click.ClickException(f"another sandbox runs in {folder}; --dir names another folder") from error
    except (RelayDied, Stuck, LedgerUnfit, SchemaProblem, Unreachable, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _stay(folder: Path, ports: tuple[int, int, int], control_port: int, *, as_json: bool) -> None:
    async with (
        neighbourhood(folder, ports, portal=True, control_port=control_port) as around,
        _controlled(around) as portal,
    ):
        visits, page = await around.handed_out(TOKEN_S), await _page(around)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)  # from here on stopping is success
        if as_json:
            click.echo(json.dumps(_facts(around, portal, visits, page), ensure_ascii=False))
        else:
            street = around.street
            got = (street.gateway_port, street.admin_port, street.pages_port, portal.control.getsockname()[1])
            for name, wanted, listens in zip(DOORS, (*ports, control_port), got, strict=True):
                if wanted not in {0, listens}:
                    click.echo(f"note: port {wanted} is taken, the {name} listens on {listens}")
            click.echo(_words(around, portal, visits, page))
        ended, stopped = asyncio.ensure_future(around.ended()), asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not stop.is_set():
            raise RelayDied(f"the relay ended by itself; see {folder / 'relay.log'}")
        ended.cancel()


@asynccontextmanager
async def _controlled(around: Neighbourhood) -> AsyncIterator[Portal]:
    """The street's portal with its control door open."""
    street, house = around.street, around.street.portal
    if house is None or around.portal is None:
        raise RuntimeError("a sandbox has a portal")
    async with callers_of(street, house, around.catalogue, faults_of) as callers:
        runner = web.AppRunner(Control(around.portal, callers.portal, RELAY_CODE, now).application(), access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, house.control).start()
            yield house
        finally:
            await runner.cleanup()


async def _page(around: Neighbourhood) -> str:
    """The address of the bank's login page, for the first customer, as soon as the relay has its registry.

    It is for the second service: a consent to the first would end the token printed above.
    """
    street = around.street
    asker, bank = street.operators[0], street.institutions["bank"]
    async with session_of(asker.identity, street.certificates.ca) as session:
        errands = Errands(session, street.gateway, asker, around.catalogue, faults_of).for_service(WALKED)
        if why := await settled(lambda: errands.introduced(bank)):
            raise RelayDied(f"the relay took no registry from the portal ({why}); see {street.folder / 'relay.log'}")
        return await errands.authorize(bank, LOGINS[0].customer)


def _facts(around: Neighbourhood, portal: Portal, visits: Sequence[Visit], page: str) -> dict[str, Any]:
    street = around.street
    certs = street.certificates.folder.resolve()
    names = sorted(key.name.removesuffix(".key.pem") for key in certs.glob("*.key.pem"))
    return {
        "gateway": street.gateway,
        "admin": street.admin,
        "pages": street.pages,
        "portal": portal.url,
        "control": portal.control_url,
        "page": page,
        "logins": {login.login_id: login.password for login in LOGINS},
        "metrics": f"{street.admin}/metrics",
        "pid": around.pid,
        "folder": str(street.folder.resolve()),
        "settings": str(street.settings.resolve()),
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
            for operator in street.operators
        ],
        "customers": {login.login_id: ci_of(login.customer) for login in LOGINS},
        "certifiers": {"identity": IDENTITY_CERTIFIER, "signature": SIGNATURE_CERTIFIER},
        "org_codes": {industry: institution.org_code for industry, institution in street.institutions.items()},
        "providers": {
            institution.org_code: f"https://127.0.0.1:{institution.port}"
            for institution in street.institutions.values()
        },
        "tokens": {visit.org_code: visit.token for visit in visits},
    }


def _token_command(folder: Path, org_code: str) -> str:
    """A command line that runs as it is printed, from any folder, and leaves the token printed above in force."""
    beside = Path(sys.executable).with_name("relay")
    found = shutil.which("relay")
    program = ["relay"] if found and Path(found).samefile(beside) else [sys.executable, "-m", "relay"]
    options = ["--dir", str(folder.resolve()), "--org-code", org_code, "--scope", "bank.list", "--customer", "2"]
    return shlex.join([*program, "token", *options])


def _words(around: Neighbourhood, portal: Portal, visits: Sequence[Visit], page: str) -> str:
    street = around.street
    operator = street.operators[0]
    bank = street.institutions["bank"]
    institutions = "\n".join(
        f"  {institution.org_code}  {institution.industry:8} {institution.name}"
        for institution in street.institutions.values()
    )
    others = ", ".join(f"{login.login_id} {login.password}" for login in LOGINS[1:])
    files = " ".join(
        f"{flag} {shlex.quote(str(path))}"
        for flag, path in (
            ("--cacert", street.certificates.ca),
            ("--cert", operator.identity.certificate),
            ("--key", operator.identity.private_key),
        )
    )
    return f"""relay     {street.gateway}  (mutual TLS, pid {around.pid})
metrics   {street.admin}/metrics
portal    {portal.url}  (mutual TLS; what it knows and how it misbehaves: curl {portal.control_url}/)
settings  {street.settings}
logs      {street.folder / "relay.log"}, {street.folder / "access.log"}
institutions
{institutions}

Call the relay as {operator.name} ({operator.org_code}):

curl {files} \\
  -H 'Authorization: Bearer {visits[0].token}' \\
  -H 'x-api-tran-id: {operator.org_code}M00000000000001' -H 'x-api-type: user-refresh' \\
  '{street.gateway}/v1/bank/accounts?org_code={bank.org_code}&search_timestamp=0&limit=20'

Walk the pages of individual authentication in a browser, once and within an hour:
{page}
Log in as {LOGINS[0].login_id} with {LOGINS[0].password} ({others} are others, and are sent back). The certificate
is the sandbox's own. With the code that the callback shows:

curl {files} -H 'x-api-tran-id: {operator.org_code}M00000000000002' \\
  -d grant_type=authorization_code -d code=CODE -d org_code={bank.org_code} -d redirect_uri={operator.callback} \\
  -d client_id={operator.client_ids[WALKED]} -d client_secret={operator.client_secrets[WALKED]} \\
  '{street.gateway}/oauth/2.0/token'

More tokens: {_token_command(street.folder, bank.org_code)}
Stop: Ctrl-C"""
