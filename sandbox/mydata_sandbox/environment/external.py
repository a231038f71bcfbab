"""A sandbox for a relay that is started by hand: it simulates all other parties."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.own_institution import OwnInstitution
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.environment.running import RunningEnvironment
from mydata_sandbox.environment.serving import serve_environment
from mydata_sandbox.operator.authority_client import AuthorityClient
from mydata_sandbox.operator.client import open_session
from mydata_sandbox.world.handlers import DATA_HANDLERS
from relay.standard.catalogue import load_catalogue

POLL_S: Final = 0.5
_EXPLANATIONS: Final = {
    "ClientConnectorCertificateError": "its certificate is not the sandbox's: use certs/relay.pem (gateway.tls)",
    "ClientConnectorSSLError": "TLS fails: use certs/relay.pem and client_ca certs/ca.pem (gateway.tls)",
    "ClientConnectorDNSError": "the name does not resolve",
    "ClientConnectorError": "no connection: the relay does not listen there yet",
    "ConnectionTimeoutError": "no connection: packets to it are lost",
    "ServerDisconnectedError": "it closes the connection: use client_ca certs/ca.pem (gateway.tls)",
    "ClientOSError": "it closes the connection: use client_ca certs/ca.pem (gateway.tls)",
    "HTTP 400 unauthorized_client": "it does not know the operator yet: it gets its registry from the sandbox's portal",
}
"""Reasons why the relay does not accept the operator, by the beginning of the client's message."""

_OPENSSL_REASON: Final = re.compile(r"\[SSL: \w+\] (.+?) \(_ssl")
"""OpenSSL's words in the message of an ssl.SSLError."""


class RelayUnreachable(Exception):
    """The relay did not accept the operator in time. The message has the last problem."""


@asynccontextmanager
async def external_environment(
    folder: Path,
    relay: RelayAddress,
    pages_port: int = 0,
    admin_port: int = 0,
    control_port: int = 0,
    own: OwnInstitution | None = None,
) -> AsyncIterator[RunningEnvironment]:
    """Builds a sandbox in `folder`, or uses it again, and serves it until the block ends. See `wait_for_relay`.

    The ports are wanted ones: of the relay's pages and admin plane in its settings, and of the control API. `own` is an
    institution under development.
    """
    catalogue, now = load_catalogue(), datetime.now(UTC)
    ports = (0, admin_port, pages_port)
    environment = build(folder, now, ports, portal=True, control_port=control_port, relay=relay, own=own)
    async with serve_environment(environment, catalogue, DATA_HANDLERS) as portal:
        yield RunningEnvironment(environment, catalogue, None, _wait_forever, portal)


async def wait_for_relay(running: RunningEnvironment, report: Callable[[str], object], timeout_s: float) -> None:
    """Waits until the relay accepts the operator. `report` gets each new problem. Raises RelayUnreachable."""
    environment = running.environment
    caller, bank = environment.operators[0], environment.institutions["bank"]
    last = ""
    try:
        async with asyncio.timeout(timeout_s), open_session(caller.identity, environment.certificates.ca) as session:
            client = AuthorityClient(session, environment.gateway, caller, running.catalogue, find_strict_violations)
            while problem := explain(await client.check_registration(bank)):
                if problem != last:
                    report(problem)
                last = problem
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        url, reason = environment.gateway, last or "it does not respond"
        raise RelayUnreachable(
            f"the relay at {url} did not accept the operator within {timeout_s:.0f} s: {reason}"
        ) from None


async def _wait_forever() -> int:
    await asyncio.Event().wait()
    return 0


def explain(problem: str) -> str:
    """Returns the reason of a failed call in words, with OpenSSL's reason after those of TLS."""
    reason = next((words for start, words in _EXPLANATIONS.items() if problem.startswith(start)), "")
    if reason and (error := _OPENSSL_REASON.search(problem)):
        return f"{reason} ({error[1]})"
    return reason or problem
