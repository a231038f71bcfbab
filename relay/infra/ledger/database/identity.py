"""Which ledger answers: noted at the first transaction, compared at every further one.

A file that was replaced, a database that was made anew or brought back from a backup, a server that stopped being the
primary: each would answer well, and what it acknowledged would be lost.
"""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import text, update
from sqlalchemy.exc import NoResultFound, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.ledger import WrongLedger
from relay.infra.ledger.database.tables import LEDGER_IDENTITY

_WHAT_TO_DO: Final = "bring the former one back, or restart the relay to go on with this one"
_ON_SQLITE: Final = text("SELECT ledger_id, generation FROM ledger_identity")
_ON_POSTGRESQL: Final = text(
    "SELECT ledger_id, generation, pg_is_in_recovery() AS recovers,"
    " current_setting('transaction_read_only') = 'on' AS reads_only,"
    " EXISTS (SELECT FROM pg_stat_wal_receiver) AS follows FROM ledger_identity"
)


class FollowsNoPrimary(WrongLedger):
    """The server is a standby that cannot be used: it follows no primary, or the transaction was to write."""


class LedgerIdentity:
    """What a process knows of its ledger. `path` is the file of a SQLite ledger."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._known: tuple[str, int] | None = None

    def expect_same_file(self) -> None:
        """Raises WrongLedger when the SQLite file is gone or another one stands in its place."""
        if self._path is None:
            return
        try:
            stat = self._path.stat()
        except OSError as error:
            if self._file is None:
                return  # the engine says it in its own words
            raise WrongLedger(f"the ledger's file {self._path} is gone ({error.strerror})") from error
        found = (stat.st_dev, stat.st_ino)
        if self._file is None:
            self._file = found
        elif found != self._file:
            raise WrongLedger(f"another file stands in place of the ledger {self._path}: {_WHAT_TO_DO}")

    async def expect_same(self, rows: AsyncConnection, *, writes: bool) -> None:
        """Raises WrongLedger unless the ledger is the one of before, FollowsNoPrimary unless its server is current."""
        is_postgresql = rows.dialect.name == "postgresql"
        try:
            row = (await rows.execute(_ON_POSTGRESQL if is_postgresql else _ON_SQLITE)).one()
        except (ProgrammingError, NoResultFound) as error:
            raise WrongLedger(f"the database holds no ledger any more: {_WHAT_TO_DO}") from error
        if is_postgresql:
            _expect_current(row, writes=writes)
        found = (row.ledger_id, row.generation)
        if self._known is None:
            self._known = found
        elif found != self._known:
            changed = "another ledger" if row.ledger_id != self._known[0] else "a ledger brought back from a backup"
            raise WrongLedger(f"{changed} stands in the database: {_WHAT_TO_DO}")


def _expect_current(row: Any, *, writes: bool) -> None:
    if row.recovers and (writes or not row.follows):
        what = "takes no writes" if row.follows else "follows no primary"
        raise FollowsNoPrimary(f"the server is a standby that {what}")
    if row.reads_only and not row.recovers:
        raise FollowsNoPrimary("the server was made read-only")


async def begin_generation(rows: AsyncConnection) -> int:
    """Count a generation on: processes that run on this ledger stop believing it. Returns the new generation."""
    counted = update(LEDGER_IDENTITY).values(generation=LEDGER_IDENTITY.c.generation + 1)
    number: int = (await rows.execute(counted.returning(LEDGER_IDENTITY.c.generation))).scalar_one()
    return number
