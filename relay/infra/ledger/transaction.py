"""Transactions of the ledger: their writes, their history of state changes, and the tokens they revoke.

Every transaction takes its locks in one order, so that no two deadlock: customer, request, consent, single-use values,
counter of revocations; counter of the registry; counter of transfers; statistics lines and pulses in their order;
the leader's row last.
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
from relay.domain.ledger import LedgerDown
from relay.domain.queue_full import CALLER
from relay.infra.diagnostics.outages import OutageLog
from relay.infra.fair_semaphore import FairSemaphore
from relay.infra.ledger.database.engine import SNAPSHOT, WRITES, is_pooled, is_sqlite, translate_errors
from relay.infra.ledger.database.identity import FollowsNoPrimary, LedgerIdentity
from relay.infra.ledger.database.portal_tables import LEADERSHIP
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import HISTORY, REVOCATION_HEAD, REVOCATIONS


@dataclass(slots=True)
class Transaction:
    """An open transaction. It collects state changes and revocations, and writes them in `flush`.

    `fence` is that of the leader who writes, None for all other writers.
    """

    connection: AsyncConnection
    sealer: Sealer
    now: int
    fence: int | None = None
    _moves: list[dict[str, object]] = field(default_factory=list)
    _revoked: list[str] = field(default_factory=list)

    def record_move(self, thing: str, thing_id: str, was: StrEnum | None, became: StrEnum, why: str) -> None:
        """Records that a request, consent or token changed its state, or was created (`was` is None)."""
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

    def record_revocation(self, jti: str) -> None:
        """Records that an access token was revoked. Gateways read it with the revocations."""
        self._revoked.append(jti)

    @property
    def revocations(self) -> Sequence[str]:
        """The jtis of the access tokens that this transaction revokes."""
        return self._revoked

    async def flush(self) -> None:
        """Writes the history, then the revocations, then checks the fence. Raises Superseded.

        Revocations come last: the counter's row stays locked until the commit, so numbers become visible in their
        order, and the lock is short. A sequence would make a later number visible before an earlier one.
        """
        if self._moves:
            await self.connection.execute(insert(HISTORY), self._moves)
        if self._revoked:
            count = len(self._revoked)
            counted = update(REVOCATION_HEAD).values(number=REVOCATION_HEAD.c.number + count)
            head = (await self.connection.execute(counted.returning(REVOCATION_HEAD.c.number))).scalar_one()
            numbered = zip(range(head - count + 1, head + 1), self._revoked, strict=True)
            await self.connection.execute(
                insert(REVOCATIONS), [{"number": number, "jti": jti} for number, jti in numbered]
            )
        if self.fence is not None:
            await self._check_fence(self.fence)

    async def _check_fence(self, fence: int) -> None:
        """Raises Superseded when a later leader has a higher fence.

        The shared lock on the row keeps a new term from beginning before the commit.
        """
        latest = select(LEADERSHIP.c.fence).with_for_update(read=True)
        if fence < (await self.connection.execute(latest)).scalar_one():
            raise Superseded


SLOW_S: Final = 2.0
"""A transaction cancelled after this time counts as a timeout of the ledger."""


class Transactions:
    """Begins transactions on one ledger. `path` is the file of a SQLite ledger.

    Each transaction first checks that the ledger is still the same. A transaction that takes longer than `deadline_s`
    is rolled back.
    """

    def __init__(
        self, engine: AsyncEngine, sealer: Sealer, path: Path | None = None, deadline_s: float | None = None
    ) -> None:
        self.engine = engine
        self.sealer = sealer
        self.announce: Callable[[Sequence[str]], None] = _announce_nothing
        """Called with the jtis of the access tokens that a transaction revoked, right after its commit."""
        self.outage = OutageLog("ledger")
        self._identity = LedgerIdentity(path)
        self._deadline_s = deadline_s
        # SQLite has one writer. Waiting in this queue is fair; waiting for SQLite's own lock is polling.
        self._writers = (
            FairSemaphore(1, 1, waiting=sys.maxsize, waiting_each=sys.maxsize) if is_sqlite(engine) else None
        )
        # Behind PgBouncer only a transaction keeps a connection: autocommit is for direct connections.
        has_autocommit = not is_sqlite(engine) and not is_pooled(engine)
        reading = {"isolation_level": "AUTOCOMMIT"} if has_autocommit else {}
        self._read_engine = engine.execution_options(**reading)
        snapshot: dict[str, Any] = {SNAPSHOT: True} if is_sqlite(engine) else {"isolation_level": "REPEATABLE READ"}
        self._snapshot_engine = engine.execution_options(**snapshot)
        self._write_engine = engine.execution_options(**{WRITES: True})

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """Yields a connection for reading; each statement sees what is committed. Raises LedgerDown."""
        async with self._watch_ledger(), self._read_engine.connect() as connection:
            await self._identity.check_same(connection, writes=False)
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Yields a connection for reading; all its statements see one moment. Raises LedgerDown."""
        async with self._watch_ledger(), self._snapshot_engine.connect() as connection:
            await self._identity.check_same(connection, writes=False)
            yield connection

    @asynccontextmanager
    async def begin(self, now: int, *, fence: int | None = None) -> AsyncIterator[Transaction]:
        """Yields a transaction: committed when the block ends, rolled back when it raises. Raises LedgerDown.

        With a fence, raises Superseded and rolls back when another leader has taken over.
        """
        async with self._watch_ledger(), self._write_turn(), self._write_engine.begin() as connection:
            await self._identity.check_same(connection, writes=True)
            transaction = Transaction(connection, self.sealer, now, fence)
            yield transaction
            await transaction.flush()
            self._identity.check_same_file()
        if transaction.revocations:
            self.announce(transaction.revocations)

    def _write_turn(self) -> AbstractAsyncContextManager[None]:
        """Returns the turn to write. A flood of writes delays only its own caller."""
        return nullcontext() if self._writers is None else self._writers.hold(CALLER.get())

    @asynccontextmanager
    async def _watch_ledger(self) -> AsyncIterator[None]:
        """Runs a block under the deadline and notes outages. Raises LedgerDown, WrongLedger among them.

        When the server follows no primary, closes all connections, so that the next ones look for the primary.
        """
        started = time.monotonic()
        try:
            self._identity.check_same_file()
            async with translate_errors(), asyncio.timeout(self._deadline_s):
                yield
        except FollowsNoPrimary as error:
            self.outage.record_failure(f'"{error}"')
            await self.engine.dispose()
            raise
        except LedgerDown as error:
            self.outage.record_failure(f'"{error}"')
            raise
        except asyncio.CancelledError:
            if time.monotonic() - started > SLOW_S:  # the caller gave up
                self.outage.record_failure("time_out")
            raise
        self.outage.record_success()


def _announce_nothing(_: Sequence[str]) -> None:
    return
