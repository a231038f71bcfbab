"""One transaction of the ledger: what is written, what moved and why, what was revoked.

Order of locks, in every transaction: customer, request, consent, what is used once, counter of revocations; counter of
the registry; lines and pulses in their order; last of all who leads. What takes them in one order never waits in a
circle.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from relay.domain.jobs import Superseded
from relay.domain.ledger import Unreachable
from relay.domain.queue_full import CALLER
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.fair_semaphore import Turns
from relay.infra.ledger.database.engine import AT_ONE_MOMENT, WRITES, answering, is_pooled, is_sqlite
from relay.infra.ledger.database.identity import FollowsNoPrimary, LedgerIdentity
from relay.infra.ledger.database.portal_tables import LEADERSHIP
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import HISTORY, REVOCATION_HEAD, REVOCATIONS


@dataclass(slots=True)
class Work:
    """A transaction on its way. Whoever moves something tells it here; it is written when the transaction settles.

    `fence` is that of the leader who writes, None for everybody else.
    """

    rows: AsyncConnection
    sealer: Sealer
    now: int
    fence: int | None = None
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

    @property
    def revocations(self) -> Sequence[str]:
        """The access tokens that this transaction revokes."""
        return self._revoked

    async def settle(self) -> None:
        """Write the history, then the revocations; then see whether the leader leads still. Raises Superseded.

        Revocations come last: the counter's row stays locked until the commit, so numbers become visible in their
        order, and it is locked only for a moment. A sequence would let a later number be seen before an earlier one.
        """
        if self._moves:
            await self.rows.execute(insert(HISTORY), self._moves)
        if self._revoked:
            count = len(self._revoked)
            counted = update(REVOCATION_HEAD).values(number=REVOCATION_HEAD.c.number + count)
            head = (await self.rows.execute(counted.returning(REVOCATION_HEAD.c.number))).scalar_one()
            numbered = zip(range(head - count + 1, head + 1), self._revoked, strict=True)
            await self.rows.execute(insert(REVOCATIONS), [{"number": number, "jti": jti} for number, jti in numbered])
        if self.fence is not None:
            await self._expect_to_lead(self.fence)

    async def _expect_to_lead(self, fence: int) -> None:
        """Nobody begins a term between this and the commit, for the row is shared until then and theirs afterwards."""
        latest = select(LEADERSHIP.c.fence).with_for_update(read=True)
        if fence < (await self.rows.execute(latest)).scalar_one():
            raise Superseded


SLOW_S: Final = 2.0
"""A transaction that was given up after this time counts as one that the ledger did not answer."""


class Works:
    """Begins transactions on one ledger. `path` is the file of a SQLite ledger.

    Each transaction first sees that the ledger is the one of before. One that takes longer than `deadline_s` is undone.
    """

    def __init__(
        self, engine: AsyncEngine, sealer: Sealer, path: Path | None = None, deadline_s: float | None = None
    ) -> None:
        self.engine = engine
        self.sealer = sealer
        self.announce: Callable[[Sequence[str]], None] = _announce_nothing
        """Called with the access tokens that a transaction revoked, right after its commit."""
        self.outage = OutageLog("ledger")
        self._identity = LedgerIdentity(path)
        self._deadline_s = deadline_s
        # SQLite has one writer; who waits here waits in turn, who waits there polls
        self._turns = Turns(1, 1, waiting=sys.maxsize, waiting_each=sys.maxsize) if is_sqlite(engine) else None
        alone = is_sqlite(engine) or is_pooled(engine)  # behind PgBouncer a statement needs a transaction to stay whole
        reading = {} if alone else {"isolation_level": "AUTOCOMMIT"}
        self._reading = engine.execution_options(**reading)
        snapshot: dict[str, Any] = (
            {AT_ONE_MOMENT: True} if is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}
        )
        self._of_one_moment = engine.execution_options(**snapshot)
        self._writing = engine.execution_options(**{WRITES: True})

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for looking things up; each statement sees what is committed. Raises Unreachable."""
        async with self._answering(), self._reading.connect() as rows:
            await self._identity.expect_same(rows, writes=False)
            yield rows

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection for looking things up; all its statements see one moment. Raises Unreachable."""
        async with self._answering(), self._of_one_moment.connect() as rows:
            await self._identity.expect_same(rows, writes=False)
            yield rows

    @asynccontextmanager
    async def writing(self, now: int, *, fence: int | None = None) -> AsyncIterator[Work]:
        """A transaction: committed when the block ends, undone when it raises. Raises Unreachable.

        With a fence it is a leader's: Superseded, and undone, when another one leads since.
        """
        async with self._answering(), self._turn(), self._writing.begin() as rows:
            await self._identity.expect_same(rows, writes=True)
            work = Work(rows, self.sealer, now, fence)
            yield work
            await work.settle()
            self._identity.expect_same_file()
        if work.revocations:
            self.announce(work.revocations)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        """The turn to write. Callers take turns: one that writes without end waits for itself."""
        return nullcontext() if self._turns is None else self._turns.turn(CALLER.get())

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """A block that talks to the ledger, in time. Raises Unreachable, WrongLedger among them.

        A server that follows no primary loses every connection, so that the next ones look for the primary.
        """
        began = time.monotonic()
        try:
            self._identity.expect_same_file()
            async with answering(), asyncio.timeout(self._deadline_s):
                yield
        except FollowsNoPrimary as error:
            self.outage.failed(f'"{error}"')
            await self.engine.dispose()
            raise
        except Unreachable as error:
            self.outage.failed(f'"{error}"')
            raise
        except asyncio.CancelledError:
            if time.monotonic() - began > SLOW_S:  # whoever asked gave up
                self.outage.failed("time_out")
            raise
        self.outage.succeeded()


def _announce_nothing(_: Sequence[str]) -> None:
    return
