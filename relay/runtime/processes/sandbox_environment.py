"""The street and the relay together: institutions in this process, the relay as a process of its own."""

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
from relay.runtime.processes.supervisor import stopped
from relay.runtime.settings.loading import load
from relay.runtime.wiring.ledger import ledger_of, prepared
from relay.runtime.wiring.seed_tokens import Handout, consent_for, hand_out
from relay.sandbox.customers import ci_of
from relay.sandbox.houses import RELAY_CODE, Street
from relay.sandbox.operator import Visit
from relay.sandbox.portal.application import PretendedPortal
from relay.sandbox.street import build, opened
from relay.sandbox.tokens import claims_for, scopes_of, sign
from relay.sandbox.world.model import CUSTOMERS, Customer
from relay.sandbox.world.stories import STORIES
from relay.standard.catalogue import load_catalogue

READY_S: Final = 40.0
STOP_S: Final = 10.0
POLL_S: Final = 0.05
TAIL_LINES: Final = 20
SERVE: Final = (sys.executable, "-m", "relay", "serve", "--until-stdin-closes", "-c")

T = TypeVar("T")


class RelayDied(Exception):
    """The relay ended, or was not ready in time; the message holds the tail of its log."""


class Interrupted(Exception):
    """A signal asked us to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A street whose institutions answer, with a relay that is ready before them.

    `portal` is the street's, None where the relay reads a directory.
    """

    street: Street
    catalogue: Catalogue
    pid: int
    ended: Callable[[], Awaitable[int]]
    portal: PretendedPortal | None = None

    async def handed_out(self, expires: int = 3600) -> tuple[Visit, ...]:
        """One institution after the other, with a token of the first operator's first service for each.

        The tokens are written into the ledger without being asked for: as if the first customer had consented to all.
        """
        operator = self.street.operators[0]
        now = datetime.now(UTC)
        told = [
            claims_for(
                issuer=RELAY_CODE,
                operator=operator.org_code,
                provider=institution.org_code,
                client_id=operator.client_ids[0],
                scopes=scopes_of(self.catalogue, institution.industry),
                now=now,
                expires=expires,
            )
            for institution in self.street.institutions.values()
        ]
        await record(self.street.settings, told, CUSTOMERS[0])
        key = self.street.token_key
        return tuple(
            Visit(institution.org_code, institution.industry, sign(claims, key))
            for institution, claims in zip(self.street.institutions.values(), told, strict=True)
        )


async def record(settings: Path, told: Sequence[Mapping[str, Any]], customer: Customer) -> None:
    """Write tokens with these claims into the ledger of a street, as consented to by this customer."""
    ledger = ledger_of(load(settings, {}).settings.ledger)
    now = datetime.now(UTC)
    try:
        handouts = [Handout(claims, ci_of(customer)) for claims in told]
        await hand_out(ledger, [(handout, consent_for(handout, now)) for handout in handouts], now)
    finally:
        await ledger.close()


@asynccontextmanager
async def neighbourhood(
    folder: Path,
    ports: tuple[int, int, int] = (0, 0, 0),
    ledger: str = "",
    *,
    portal: bool = False,
    control_port: int = 0,
) -> AsyncIterator[Neighbourhood]:
    """Build a street in `folder`, start it and the relay, stop both when the block ends, however it ends.

    `ports` are those wanted for gateway, admin and pages; `ledger` is the URL of a ledger elsewhere. With `portal` the
    relay lives from a portal's registry; `control_port` is the one wanted for that portal's control door.
    """
    catalogue = load_catalogue()
    street = build(folder, datetime.now(UTC), ports, ledger, portal=portal, control_port=control_port)
    async with opened(street, catalogue, STORIES) as pretended:
        await prepared(load(street.settings, {}).settings.ledger)
        async with _relay(street) as process:
            yield Neighbourhood(street, catalogue, process.pid, process.wait, pretended)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end; SIGINT and SIGTERM cancel it first, so that it can put everything away."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_cancelled_by_signals(main))
        except Interrupted as interrupted:
            raise SystemExit(128 + interrupted.number) from None  # what a shell says of a process a signal ended


async def _cancelled_by_signals(main: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    came: list[int] = []

    def stop(number: int) -> None:
        if not came:  # a second signal must not cut short the putting away
            task.cancel()
        came.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not came:
            raise
        raise Interrupted(came[0]) from None


@asynccontextmanager
async def _relay(street: Street) -> AsyncIterator[asyncio.subprocess.Process]:
    log = street.folder / "relay.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *SERVE,
            str(street.settings.resolve()),
            env={name: value for name, value in os.environ.items() if not name.startswith("RELAY__")},
            stdin=asyncio.subprocess.PIPE,  # closed by the kernel when we are killed; the relay then stops too
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C of the terminal is ours; the relay is told to stop by us
        )
    try:
        await _ready(street, process, log)
        yield process
    finally:
        await stopped(process, STOP_S)


async def _ready(street: Street, process: asyncio.subprocess.Process, log: Path) -> None:
    ended = asyncio.create_task(process.wait())
    try:
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
            while not await _is_ready(session, street):
                await asyncio.wait({ended}, timeout=POLL_S)
                if ended.done():
                    raise RelayDied(f"the relay ended with status {ended.result()}; {_tail(log)}")
    except TimeoutError as error:
        raise RelayDied(f"the relay was not ready within {READY_S:.0f} s; {_tail(log)}") from error
    finally:
        ended.cancel()


async def _is_ready(session: aiohttp.ClientSession, street: Street) -> bool:
    try:
        async with session.get(f"{street.admin}/readyz") as answer:
            return answer.status == 200  # noqa: PLR2004 - ready
    except aiohttp.ClientError:
        return False


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join([f"the end of {log}:", *(f"  {line}" for line in lines)])
