"""Makes calls one after another on a reused connection, at a bounded rate, as the relay does."""

import asyncio
import secrets
import string
from typing import Final

from relay.infra.conformance.connection import Address, CallFailed, ConnectFailed, Connection, ConnectionEnded
from relay.infra.diagnostics.causes import classify_error
from relay.policy.conformance.call import ConformanceCall, write_call
from relay.policy.conformance.judgement import Received

_SERIAL: Final = string.digits + string.ascii_uppercase


class Pace:
    """Lets at most `rate` calls begin each second, all connections together."""

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate
        self._next = 0.0

    async def wait(self) -> None:
        """Waits for the turn of a call."""
        now = asyncio.get_running_loop().time()
        start = max(self._next, now)
        self._next = start + self._interval
        if start > now:
            await asyncio.sleep(start - now)


class Caller:
    """Calls one institution. `relay` is the org_code at the beginning of tran-ids; `calls` counts the calls made."""

    def __init__(self, address: Address, relay: str, rate: float) -> None:
        self.address = address
        self.calls = 0
        self._relay = relay
        self._pace = Pace(rate)
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    def write(self, call: ConformanceCall, tran_id: str) -> bytes:
        """Returns the bytes of a call. To the adapter all calls have the same consent."""
        consent = "conform" if self.address.socket else ""
        return write_call(call, self.address.base_url, tran_id, consent)

    def make_tran_id(self) -> str:
        """Returns a new 거래고유번호 of the relay (첨부14)."""
        return f"{self._relay}R{''.join(secrets.choice(_SERIAL) for _ in range(14))}"

    async def call(self, call: ConformanceCall, tran_id: str) -> Received:
        """Makes a call on the reused connection; no other call runs meanwhile. Raises CallFailed.

        A call on a reused connection that ends before the first byte is repeated once, as the relay does it.
        """
        async with self._lock:
            connection = self._connection
            if connection is not None and connection.is_open:
                try:
                    return await self._exchange(connection, call, tran_id)
                except ConnectionEnded:
                    self.drop()
            self._connection = await self.connect()
            return await self._exchange(self._connection, call, tran_id)

    async def call_on(self, connection: Connection, call: ConformanceCall, tran_id: str) -> Received:
        """Makes a call on a connection of the caller's choice; no other call runs meanwhile. Raises CallFailed."""
        async with self._lock:
            return await self.send(connection, [self.write(call, tran_id)])

    async def call_alone(self, call: ConformanceCall, tran_id: str) -> Received:
        """Makes a call on a connection of its own, beside other calls. Raises CallFailed."""
        connection = await self.connect()
        try:
            return await self.send(connection, [self.write(call, tran_id)])
        finally:
            connection.abort()

    async def send(self, connection: Connection, pieces: list[bytes], pause_s: float = 0.0) -> Received:
        """Sends the pieces of a call on a connection. Raises CallFailed."""
        await self._pace.wait()
        self.calls += 1
        return await connection.exchange(pieces, pause_s)

    async def connect(self) -> Connection:
        """Opens a connection. Raises CallFailed: the institution was reachable before."""
        try:
            return await Connection.open(self.address)
        except ConnectFailed as failed:
            raise CallFailed("time_connect", classify_error(failed.__cause__ or failed)) from failed

    def drop(self) -> None:
        """Closes the reused connection."""
        if self._connection is not None:
            self._connection.abort()
        self._connection = None

    async def _exchange(self, connection: Connection, call: ConformanceCall, tran_id: str) -> Received:
        try:
            received = await self.send(connection, [self.write(call, tran_id)])
        except CallFailed:
            self.drop()
            raise
        if not received.is_open:
            self.drop()
        return received
