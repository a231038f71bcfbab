"""Runs the sandbox: institutions, certifiers and portal in this process, the relay as a child process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import uvloop

from relay.domain.api import Catalogue
from relay.runtime.processes.supervisor import stop_process
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger, prepare_ledger
from relay.runtime.wiring.seed_tokens import SeedToken, build_consent, record_seed_tokens
from relay.sandbox.customers import get_ci
from relay.sandbox.environment import build, serve_environment
from relay.sandbox.model import RELAY_CODE, SandboxEnvironment
from relay.sandbox.operator import IssuedToken
from relay.sandbox.portal.application import SimulatedPortal
from relay.sandbox.tokens import claims_for, list_scopes, sign
from relay.sandbox.world.handlers import DATA_HANDLERS
from relay.sandbox.world.model import CUSTOMERS, Customer
from relay.standard.catalogue import load_catalogue

READY_S: Final = 40.0
STOP_S: Final = 10.0
POLL_S: Final = 0.05
TAIL_LINES: Final = 20
SERVE: Final = (sys.executable, "-m", "relay", "serve", "--until-stdin-closes", "-c")

T = TypeVar("T")


class RelayDied(Exception):
    """The relay ended, or was not ready in time; the text holds the end of its log."""


class Interrupted(Exception):
    """SIGINT or SIGTERM was received."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(frozen=True, slots=True)
class RunningEnvironment:
    """A sandbox whose institutions serve, and a relay that is ready.

    `portal` is None when the relay reads a directory.
    """

    street: SandboxEnvironment
    catalogue: Catalogue
    pid: int
    wait: Callable[[], Awaitable[int]]
    portal: SimulatedPortal | None = None

    async def issue_tokens(self, expires: int = 3600) -> tuple[IssuedToken, ...]:
        """Returns a token of the first operator's first service for each institution.

        The tokens are written into the ledger, as if the first customer had consented to all assets.
        """
        operator = self.street.operators[0]
        now = datetime.now(UTC)
        claims = [
            claims_for(
                issuer=RELAY_CODE,
                operator=operator.org_code,
                provider=institution.org_code,
                client_id=operator.client_ids[0],
                scopes=list_scopes(self.catalogue, institution.industry),
                now=now,
                expires=expires,
            )
            for institution in self.street.institutions.values()
        ]
        await record_tokens(self.street.settings, claims, CUSTOMERS[0])
        key = self.street.token_key
        return tuple(
            IssuedToken(institution.org_code, institution.industry, sign(token, key))
            for institution, token in zip(self.street.institutions.values(), claims, strict=True)
        )


async def record_tokens(settings: Path, claims: Sequence[Mapping[str, Any]], customer: Customer) -> None:
    """Writes tokens with these claims into the sandbox's ledger, as consented to by this customer."""
    ledger = build_ledger(load_settings(settings, {}).settings.ledger)
    now = datetime.now(UTC)
    try:
        seeds = [SeedToken(token, get_ci(customer)) for token in claims]
        await record_seed_tokens(ledger, [(seed, build_consent(seed, now)) for seed in seeds], now)
    finally:
        await ledger.close()


@asynccontextmanager
async def running_environment(
    folder: Path,
    ports: tuple[int, int, int] = (0, 0, 0),
    ledger: str = "",
    *,
    portal: bool = False,
    control_port: int = 0,
) -> AsyncIterator[RunningEnvironment]:
    """Builds a sandbox in `folder`, starts it and the relay, and stops both when the block ends.

    `ports` are the wanted ports of gateway, admin and pages; `ledger` is the URL of another ledger. With `portal` the
    relay uses the registry of a portal; `control_port` is the wanted port of that portal's control API.
    """
    catalogue = load_catalogue()
    environment = build(folder, datetime.now(UTC), ports, ledger, portal=portal, control_port=control_port)
    async with serve_environment(environment, catalogue, DATA_HANDLERS) as portal_server:
        await prepare_ledger(load_settings(environment.settings, {}).settings.ledger)
        async with _relay(environment) as process:
            yield RunningEnvironment(environment, catalogue, process.pid, process.wait, portal_server)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main`; SIGINT and SIGTERM cancel it, so that it can clean up."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_cancel_on_signals(main))
        except Interrupted as interrupted:
            raise SystemExit(128 + interrupted.number) from None  # the exit status that shells use for signals


async def _cancel_on_signals(main: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    received: list[int] = []

    def stop(number: int) -> None:
        if not received:  # a second signal must not interrupt the clean-up
            task.cancel()
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise Interrupted(received[0]) from None


@asynccontextmanager
async def _relay(environment: SandboxEnvironment) -> AsyncIterator[asyncio.subprocess.Process]:
    log = environment.folder / "relay.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *SERVE,
            str(environment.settings.resolve()),
            env={name: value for name, value in os.environ.items() if not name.startswith("RELAY__")},
            stdin=asyncio.subprocess.PIPE,  # closed when this process is killed; the relay then stops too
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process only, which stops the relay
        )
    try:
        await _wait_until_ready(environment, process, log)
        yield process
    finally:
        await stop_process(process, STOP_S)


async def _wait_until_ready(environment: SandboxEnvironment, process: asyncio.subprocess.Process, log: Path) -> None:
    ended = asyncio.create_task(process.wait())
    try:
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
            while not await _is_ready(session, environment):
                await asyncio.wait({ended}, timeout=POLL_S)
                if ended.done():
                    raise RelayDied(f"the relay ended with status {ended.result()}; {_tail(log)}")
    except TimeoutError as error:
        raise RelayDied(f"the relay was not ready within {READY_S:.0f} s; {_tail(log)}") from error
    finally:
        ended.cancel()


async def _is_ready(session: aiohttp.ClientSession, environment: SandboxEnvironment) -> bool:
    try:
        async with session.get(f"{environment.admin}/readyz") as answer:
            return answer.status == 200  # noqa: PLR2004 - HTTP OK
    except aiohttp.ClientError:
        return False


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join([f"the end of {log}:", *(f"  {line}" for line in lines)])
