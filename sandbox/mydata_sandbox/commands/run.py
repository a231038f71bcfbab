"""`mydata-sandbox run`: runs relay, institutions, certifiers and portal until a signal."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from aiohttp import web

from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.commands.institution_option import institution_option
from mydata_sandbox.commands.relay_option import (
    DEFAULT_FOLDER,
    RELAY_HELP,
    RelayOption,
    parse_relay_option,
    relay_options,
    wait_with_messages,
)
from mydata_sandbox.commands.run_output import PAGE_SERVICE, build_facts, describe
from mydata_sandbox.customer.browser_client import PageFlowError
from mydata_sandbox.environment.external import external_environment
from mydata_sandbox.environment.model import Portal, SandboxEnvironment
from mydata_sandbox.environment.own_institution import OwnInstitution
from mydata_sandbox.environment.portal_registration import now
from mydata_sandbox.environment.running import RelayDied, RunningEnvironment, run, running_environment
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.operator.authority_client import AuthorityClient
from mydata_sandbox.operator.client import open_session
from mydata_sandbox.operator.registration import describe_problem, wait_for_registration
from mydata_sandbox.operator.token_issuer import TokenRefused
from mydata_sandbox.parties import RELAY_CODE
from mydata_sandbox.portal.control import Control
from mydata_sandbox.scenarios.support_apis import open_callers

GATEWAY_PORT: Final = 18443
ADMIN_PORT: Final = 18090
PAGES_PORT: Final = 18444
CONTROL_PORT: Final = 18091
PORT: Final = click.IntRange(0, 65535)
LISTENERS: Final = ("gateway", "admin", "pages", "control")
EXAMPLES: Final = """\b
Examples:
  mydata-sandbox run
  mydata-sandbox run --dir /tmp/sandbox --gateway-port 9443
  mydata-sandbox run --json > facts.json &    (addresses, files, tokens, pid)
  mydata-sandbox run --relay https://127.0.0.1:9443
  mydata-sandbox run --institution my.yaml    (your server in the sandbox)
  curl http://127.0.0.1:18091/                (the portal and its calls)
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The wanted ports."""

    gateway: int
    admin: int
    pages: int
    control: int


@click.command(
    epilog=EXAMPLES,
    help=f"""Start relay and sandbox and leave them running.

A port that is taken is replaced by a free one. Ctrl-C or SIGTERM stops everything.

{RELAY_HELP}""",
)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, show_default=True)
@relay_options
@institution_option
@click.option("--gateway-port", type=click.IntRange(0, 65535), show_default=str(GATEWAY_PORT), help="Without --relay.")
@click.option("--admin-port", type=click.IntRange(0, 65535), default=ADMIN_PORT, show_default=True)
@click.option("--pages-port", type=click.IntRange(0, 65535), default=PAGES_PORT, show_default=True)
@click.option("--control-port", type=click.IntRange(0, 65535), default=CONTROL_PORT, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object on the first line.")
def command(  # noqa: PLR0913 - one argument for each option
    *,
    folder: Path,
    relay_url: str | None,
    address: str | None,
    wait_s: int,
    own: OwnInstitution | None,
    gateway_port: int | None,
    admin_port: int,
    pages_port: int,
    control_port: int,
    as_json: bool,
) -> None:
    """Start relay and sandbox and leave them running."""
    relay = parse_relay_option(relay_url, address, wait_s)
    if relay is not None and gateway_port is not None:
        raise click.UsageError("--gateway-port does not go with --relay: the URL names the relay's port")
    ports = Ports(GATEWAY_PORT if gateway_port is None else gateway_port, admin_port, pages_port, control_port)
    try:
        run(_serve(folder, ports, relay, own, as_json=as_json))
    except BlockingIOError as error:
        raise click.ClickException(f"another sandbox runs in {folder}; --dir names another folder") from error
    except (RelayDied, TokenRefused, PageFlowError, OSError) as error:
        message = str(error) if own is None else own.name_file(str(error), folder)
        raise click.ClickException(message) from error


async def _serve(
    folder: Path, ports: Ports, relay: RelayOption | None, own: OwnInstitution | None, *, as_json: bool
) -> None:
    async with _open(folder, ports, relay, own) as (running, portal):
        tokens, page = await running.issue_tokens(), await _start_login(running)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)  # stopping is success from now on
        if as_json:
            click.echo(json.dumps(build_facts(running, portal, tokens, page), ensure_ascii=False))
        else:
            if relay is None:
                _print_replaced_ports(running.environment, portal, ports)
            click.echo(describe(running, portal, tokens, page))
        ended, stopped = asyncio.ensure_future(running.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not stop.is_set():
            raise RelayDied(f"the relay ended by itself; see {folder / 'relay.log'}")
        ended.cancel()


@asynccontextmanager
async def _open(
    folder: Path, ports: Ports, relay: RelayOption | None, own: OwnInstitution | None
) -> AsyncIterator[tuple[RunningEnvironment, Portal]]:
    """Starts the sandbox with its control API, and the relay, or waits for a relay that is started by hand."""
    async with AsyncExitStack() as stack:
        if relay is None:
            wanted = (ports.gateway, ports.admin, ports.pages)
            opened = running_environment(folder, wanted, portal=True, control_port=ports.control, own=own)
            running = await stack.enter_async_context(opened)
            portal = await stack.enter_async_context(_serve_control_api(running))
        else:
            external = external_environment(folder, relay.address, ports.pages, ports.admin, ports.control, own)
            running = await stack.enter_async_context(external)
            portal = await stack.enter_async_context(_serve_control_api(running))
            await wait_with_messages(running, relay.wait_s)
        yield running, portal


def _print_replaced_ports(environment: SandboxEnvironment, portal: Portal, ports: Ports) -> None:
    wanted: Sequence[int] = (ports.gateway, ports.admin, ports.pages, ports.control)
    control_port = portal.control.getsockname()[1]
    actual = (environment.gateway_port, environment.admin_port, environment.pages_port, control_port)
    for name, wanted_port, port in zip(LISTENERS, wanted, actual, strict=True):
        if wanted_port not in {0, port}:
            click.echo(f"note: port {wanted_port} is taken, the {name} listens on {port}")


@asynccontextmanager
async def _serve_control_api(running: RunningEnvironment) -> AsyncIterator[Portal]:
    """Serves the control API of the sandbox."""
    environment, portal = running.environment, running.environment.portal
    if portal is None or running.portal is None:
        raise RuntimeError("a sandbox has a portal")
    async with open_callers(environment, portal, running.catalogue, find_strict_violations) as callers:
        control = Control(
            running.portal,
            callers.portal,
            RELAY_CODE,
            now,
            running.issuer.issue,
            lambda: _start_login(running),
            environment.failures,
        )
        runner = web.AppRunner(control.application(), access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, portal.control).start()
            yield portal
        finally:
            await runner.cleanup()


async def _start_login(running: RunningEnvironment) -> str:
    """Returns the URL of an institution's login page for the first customer, as soon as the relay has its registry.

    It belongs to the second service: a consent to the first would revoke the printed token. Raises PageFlowError.
    """
    environment = running.environment
    caller, institution = environment.operators[0], environment.login_institution
    async with open_session(caller.identity, environment.certificates.ca) as session:
        client = AuthorityClient(
            session, environment.gateway, caller, running.catalogue, find_strict_violations
        ).select_service(PAGE_SERVICE)
        if problem := await wait_for_registration(lambda: client.check_registration(institution)):
            log = "" if running.pid is None else f"; see {environment.folder / 'relay.log'}"
            raise PageFlowError(f"{describe_problem(caller.org_code, problem)}{log}")
        return await client.authorize(institution, LOGINS[0].customer)
