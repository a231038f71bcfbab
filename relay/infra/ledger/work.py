"""One transaction of the ledger: what is written, what moved and why, what was revoked.

Order of locks, in every transaction: customer, request, consent, what is used once, counter of revocations. What takes
them in one order never waits in a circle.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from relay.infra.ledger.engine import WRITES, answering, is_sqlite
from relay.infra.ledger.sealing import Sealer
from relay.infra.ledger.tables import HISTORY, REVOCATION_HEAD, REVOCATIONS


@dataclass(slots=True)
class Work:
    """A transaction on its way. Whoever moves something tells it here; it is written when the transaction settles."""

    rows: AsyncConnection
    sealer: Sealer
    now: int
    _moves: list[dict[str, object]] = field(default_factory=list)
    _revoked: list[str] = field(default_factory=list)

    def moved(self, thing: str, thing_id: str, was: StrEnum | None, became: StrEnum, why: str) -> None:
        """Tell that a request, consent or token became another, or came to be (`was` None)."""
        self._moves.append(
            {
                "at": self.now,
                "thing": thing,
                "thing_id": thing_id,
                "was": None if was is None else was.value,
                "became": became.value,
                "why": why,
            }
        )

    def revoked(self, jti: str) -> None:
        """Tell that an access token was revoked: gateways will hear of it."""
        self._revoked.append(jti)

    async def settle(self) -> None:
        """Write the history, then the revocations.

        These come last: the counter's row stays locked until the commit, so numbers become visible in their order, and
        it is locked only for a moment. A sequence would let a later number be seen before an earlier one.
        """
        if self._moves:
            await self.rows.execute(insert(HISTORY), self._moves)
        if self._revoked:
            count = len(self._revoked)
            counted = update(REVOCATION_HEAD).values(number=REVOCATION_HEAD.c.number + count)
            head = (await self.rows.execute(counted.returning(REVOCATION_HEAD.c.number))).scalar_one()
            numbered = zip(range(head - count + 1, head + 1), self._revoked, strict=True)
            await self.rows.execute(insert(REVOCATIONS), [{"number": number, "jti": jti} for number, jti in numbered])


class Works:
    """Who begins transactions."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        self.engine = engine
        self.sealer = sealer
        # SQLite has one writer; who waits here waits in turn, who waits there polls
        self._turn: AbstractAsyncContextManager[object] = asyncio.Lock() if is_sqlite(engine) else nullcontext()
        reading = {} if is_sqlite(engine) else {"isolation_level": "AUTOCOMMIT"}
        self._reading = engine.execution_options(**reading)
        self._writing = engine.execution_options(**{WRITES: True})

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for looking things up; each statement sees what is committed. Raises Unreachable."""
        async with answering(), self._reading.connect() as rows:
            yield rows

    @asynccontextmanager
    async def writing(self, now: int) -> AsyncIterator[Work]:
        """A transaction: committed when the block ends, undone when it raises. Raises Unreachable."""
        async with answering(), self._turn, self._writing.begin() as rows:
            work = Work(rows, self.sealer, now)
            yield work
            await work.settle()
