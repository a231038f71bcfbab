"""Runs the sandbox: institutions, certifiers and portal in this process, the relay as a child process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import uvloop

from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.model import SandboxEnvironment
from mydata_sandbox.environment.own_institution import OwnInstitution
from mydata_sandbox.environment.serving import serve_environment
from mydata_sandbox.operator.client import IssuedToken
from mydata_sandbox.operator.token_issuer import TokenIssuer, TokenRequest
from mydata_sandbox.portal.application import SimulatedPortal
from mydata_sandbox.world.handlers import DATA_HANDLERS
from relay.domain.api import Catalogue
from relay.standard.catalogue import load_catalogue

READY_S: Final = 40.0
STOP_S: Final = 10.0
POLL_S: Final = 0.05
TAIL_LINES: Final = 20
SERVE: Final = (sys.executable, "-m", "relay", "serve", "--until-stdin-closes", "-c")
MIGRATE: Final = (sys.executable, "-m", "relay", "migrate", "-c")

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
    """A sandbox that serves, and a relay that is ready.

    `portal` is None when the relay reads a directory. `pid` is None for a relay that was started by hand.
    `wait` returns the exit status of the relay when it ends; a relay that was started by hand is not watched.
    """

    environment: SandboxEnvironment
    catalogue: Catalogue
    pid: int | None
    wait: Callable[[], Awaitable[int]]
    portal: SimulatedPortal | None = None

    @property
    def issuer(self) -> TokenIssuer:
        """Obtains tokens from the relay."""
        environment = self.environment
        return TokenIssuer(
            gateway=environment.gateway,
            ca=environment.certificates.ca,
            operators=environment.operators,
            institutions={entry.org_code: entry for entry in environment.institutions.values()},
            certifiers=environment.certifiers,
            catalogue=self.catalogue,
            check=find_strict_violations,
        )

    async def issue_tokens(self) -> tuple[IssuedToken, ...]:
        """Returns a token of the first operator's first service for each institution.

        The first customer consents to all assets by an e-signature provider (통합인증-002). Raises TokenRefused.
        """
        requests = [TokenRequest(entry.org_code) for entry in self.environment.institutions.values()]
        return tuple([await self.issuer.issue(request) for request in requests])


@asynccontextmanager
async def running_environment(
    folder: Path,
    ports: tuple[int, int, int] = (0, 0, 0),
    ledger: str = "",
    *,
    portal: bool = False,
    control_port: int = 0,
    own: OwnInstitution | None = None,
) -> AsyncIterator[RunningEnvironment]:
    """Builds a sandbox in `folder`, starts it and the relay, and stops both when the block ends.

    `ports` are the wanted ports of gateway, admin and pages; `ledger` is the URL of another ledger. With `portal` the
    relay uses the registry of a portal; `control_port` is the wanted port of that portal's control API. `own` is an
    institution under development.
    """
    catalogue = load_catalogue()
    environment = build(folder, datetime.now(UTC), ports, ledger, portal=portal, control_port=control_port, own=own)
    async with serve_environment(environment, catalogue, DATA_HANDLERS) as portal_server:
        await _migrate(environment)
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


async def _migrate(environment: SandboxEnvironment) -> None:
    """Runs `relay migrate`. Raises RelayDied with its output when it fails."""
    process = await asyncio.create_subprocess_exec(
        *MIGRATE,
        str(environment.settings.resolve()),
        env=_environment_variables(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        await stop_process(process, STOP_S)
    if process.returncode:
        raise RelayDied(f"relay migrate failed: {output.decode(errors='replace').strip()}")


def _environment_variables() -> dict[str, str]:
    """Returns the environment without settings of a relay."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RELAY__")}


async def stop_process(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    """Terminates a process and kills it after `timeout_s`. Does nothing when it ended already."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def _relay(environment: SandboxEnvironment) -> AsyncIterator[asyncio.subprocess.Process]:
    log = environment.folder / "relay.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *SERVE,
            str(environment.settings.resolve()),
            env=_environment_variables(),
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
