"""A running gateway of a sandbox, with calls and exchanges that no socket carries."""

import asyncio
import time
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from mydata_sandbox.credentials.tokens import claims_for
from mydata_sandbox.environment.model import SandboxEnvironment

from harness.loop_lag import LagProbe
from relay.domain.exchange import Exchange
from relay.domain.party import Peer
from relay.gateway.caller_connection import ConnectionInfo
from relay.runtime.processes.gateway import GatewayProcess
from relay.wire.reader import ServerLimits
from relay.wire.server import ServerConnection

BANK: Final = "ZBAA000001"
_LIMITS: Final = ServerLimits(16384, 100, 65536, 32, 60.0, 60.0, 60.0)


def build_claims(environment: SandboxEnvironment) -> dict[str, Any]:
    """Returns the claims of a new token of the first operator for the bank."""
    operator = environment.operators[0]
    return claims_for(
        issuer="ZRLA000001",
        operator=operator.org_code,
        client_id=operator.client_ids[0],
        provider=BANK,
        scopes=["bank.list", "bank.deposit"],
        now=datetime.now(UTC),
    )


class Transport:
    """A transport that counts successful responses."""

    def __init__(self) -> None:
        self.successes = 0

    def write(self, data: bytes) -> None:
        """Counts a successful response."""
        self.successes += data.startswith(b"HTTP/1.1 200")

    def set_write_buffer_limits(self, high: int) -> None:
        """Does nothing."""

    def get_extra_info(self, name: str) -> object:
        """Returns the peer's address."""
        return ("127.0.0.1", 1) if name == "peername" else None

    def is_closing(self) -> bool:
        """Returns False."""
        return False

    can_write_eof = is_closing

    def pause_reading(self) -> None:
        """Does nothing."""

    resume_reading = close = abort = pause_reading


class Scene:
    """A running gateway, with its sandbox. `size` is how much a cause does; `note` has what it did."""

    def __init__(self, process: GatewayProcess, environment: SandboxEnvironment, size: int, probe: LagProbe) -> None:
        self.process, self.relay, self.probe = process, process.relay, probe
        self.environment, self.size = environment, size
        self.note: dict[str, float] = {}
        self.peer = Peer(environment.operators[0].identity.serial_number.replace("-", ""), "127.0.0.1")
        self.random = Random(1)

    def connect(self) -> ServerConnection:
        """Returns a connection without a socket."""
        connection = ServerConnection(self.relay.gateway, _LIMITS, self.relay.watch, self.relay.loop)
        connection.connection_made(Transport())  # type: ignore[arg-type]
        return connection

    async def call(self, requests: list[bytes]) -> None:
        """Sends these requests of the first operator in one turn of the loop, each on a connection of its own."""
        connections = [self.connect() for _ in requests]
        registered = [connection.info for connection in connections]
        for connection in connections:
            connection.info = ConnectionInfo(self.peer, is_excess=False)
        await asyncio.sleep(0)
        self.probe.reset()
        for connection, data in zip(connections, requests, strict=True):
            connection.data_received(data)
        while self.relay.gateway.in_flight:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.01)
        self.note["successes"] = sum(connection.transport.successes for connection in connections)  # type: ignore[attr-defined]
        for connection, info in zip(connections, registered, strict=True):
            connection.info = info
            connection.connection_lost(None)

    def claims(self) -> dict[str, Any]:
        """Returns the claims of a new token for the bank."""
        return build_claims(self.environment)

    def exchanges(self, count: int) -> list[Exchange]:
        """Returns closed exchanges of many institutions, APIs and operators."""
        codes = [code for institution in self.relay.gateway.plan.institutions.values() for code in institution.rules]
        made = []
        for at in range(count):
            exchange = Exchange(time.monotonic(), time.time())
            exchange.provider, exchange.operator = f"ZBAA{at % 200:06}", f"ZOPA{at % 60:06}"
            exchange.client_id = f"{exchange.operator}SVC01"
            exchange.industry, exchange.api_code = "bank", codes[at % len(codes)]
            exchange.api_type, exchange.tran_id = "user-refresh", "ZOPA000001M00000000000001"
            exchange.status, exchange.rsp_code = [(200, "00000"), (400, "40001"), (500, "50001")][at // 200 % 3]
            exchange.provider_started = exchange.started
            exchange.attempts = 1
            exchange.close(exchange.started + 0.01)
            made.append(exchange)
        return made
