"""The identity of the ledger: noted at the first transaction, compared at every further one.

A replaced file, a recreated or restored database, a server that is no longer the primary: each would answer normally,
and everything it acknowledged would be lost.
"""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import text, update
from sqlalchemy.exc import NoResultFound, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.ledger import WrongLedger
from relay.infra.ledger.database.tables import LEDGER_IDENTITY

_REMEDY: Final = "bring the former one back, or restart the relay to go on with this one"
_ON_SQLITE: Final = text("SELECT ledger_id, generation FROM ledger_identity")
_ON_POSTGRESQL: Final = text(
    "SELECT ledger_id, generation, pg_is_in_recovery() AS recovers,"
    " current_setting('transaction_read_only') = 'on' AS reads_only,"
    " EXISTS (SELECT FROM pg_stat_wal_receiver) AS follows FROM ledger_identity"
)


class FollowsNoPrimary(WrongLedger):
    """The server is a standby that cannot be used: it follows no primary, or the transaction writes."""


class LedgerIdentity:
    """The identity that a process noted of its ledger. `path` is the file of a SQLite ledger."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._known: tuple[str, int] | None = None

    def check_same_file(self) -> None:
        """Raises WrongLedger when the SQLite file is gone or another one stands in its place."""
        if self._path is None:
            return
        try:
            stat = self._path.stat()
        except OSError as error:
            if self._file is None:
                return  # the engine reports it
            raise WrongLedger(f"the ledger's file {self._path} is gone ({error.strerror})") from error
        file = (stat.st_dev, stat.st_ino)
        if self._file is None:
            self._file = file
        elif file != self._file:
            raise WrongLedger(f"another file stands in place of the ledger {self._path}: {_REMEDY}")

    async def check_same(self, connection: AsyncConnection, *, writes: bool) -> None:
        """Raises WrongLedger unless the ledger is still the same, FollowsNoPrimary unless its server is current."""
        is_postgresql = connection.dialect.name == "postgresql"
        try:
            row = (await connection.execute(_ON_POSTGRESQL if is_postgresql else _ON_SQLITE)).one()
        except (ProgrammingError, NoResultFound) as error:
            raise WrongLedger(f"the database holds no ledger any more: {_REMEDY}") from error
        if is_postgresql:
            _check_current(row, writes=writes)
        current = (row.ledger_id, row.generation)
        if self._known is None:
            self._known = current
        elif current != self._known:
            changed = "another ledger" if row.ledger_id != self._known[0] else "a ledger brought back from a backup"
            raise WrongLedger(f"{changed} stands in the database: {_REMEDY}")


def _check_current(row: Any, *, writes: bool) -> None:
    if row.recovers and (writes or not row.follows):
        limitation = "takes no writes" if row.follows else "follows no primary"
        raise FollowsNoPrimary(f"the server is a standby that {limitation}")
    if row.reads_only and not row.recovers:
        raise FollowsNoPrimary("the server was made read-only")


async def begin_generation(connection: AsyncConnection) -> int:
    """Increments the generation, so that running processes stop using this ledger. Returns the new generation."""
    increment = update(LEDGER_IDENTITY).values(generation=LEDGER_IDENTITY.c.generation + 1)
    number: int = (await connection.execute(increment.returning(LEDGER_IDENTITY.c.generation))).scalar_one()
    return number
