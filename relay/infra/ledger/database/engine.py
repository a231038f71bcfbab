"""SQLAlchemy engines for `sqlite:PATH` and `postgresql://HOST/DATABASE`, and the translation of their errors."""

import errno
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from relay.domain.ledger import LedgerDown
from relay.infra.ledger.database.postgresql import BUSY_S, POOLED, LedgerUrlError, postgresql_engine

__all__ = ["LedgerUrlError", "build_engine", "create_file", "is_pooled", "is_sqlite", "sqlite_path", "translate_errors"]

WRITES: Final = "relay_writes"
"""Execution option of connections that write: on SQLite they take the lock when the transaction begins."""

SNAPSHOT: Final = "relay_snapshot"
"""Execution option of connections whose reads all see one moment, on SQLite. PostgreSQL has an isolation level."""

_SQLITE: Final = "sqlite:"
_ON_CONNECT: Final = (
    f"PRAGMA busy_timeout = {BUSY_S * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an acknowledged consent survives a power cut
    "PRAGMA foreign_keys = ON",
)
_STATEMENT_ERRORS: Final = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""Errors of our statements; all other errors are of the database itself."""

_DATA_EXCEPTION: Final = "22"
"""The class of SQLSTATEs that are about a value (data exception)."""
_ADMINISTRATION: Final = frozenset({"42501", "0A000"})
"""SQLSTATEs that the administration of the database causes, not the statement: a missing privilege, and a table that
was replaced while a plan for it was cached."""


def sqlite_path(url: str) -> Path | None:
    """Returns the file of a SQLite ledger, None for another URL."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def build_engine(url: str, connections: int) -> AsyncEngine:
    """Returns an engine of at most `connections` connections; opens none yet. Raises LedgerUrlError.

    The engine never creates a SQLite file: `create_file` does.
    """
    path = sqlite_path(url)
    return postgresql_engine(url, connections) if path is None else _sqlite_engine(path, connections)


def create_file(path: Path) -> None:
    """Creates an empty SQLite file that only its owner can read, unless it exists. Raises LedgerDown.

    The file appears complete and in WAL mode: when several processes switch a file to WAL at once, all but one get
    "database is locked", whatever their busy timeout.
    """
    try:
        if not path.exists():
            _create_in_wal_mode(path)
    except FileNotFoundError as error:
        raise LedgerDown(f"there is no folder {path.parent}") from error
    except (OSError, sqlite3.Error) as error:
        raise LedgerDown(f"no file can be created in {path.parent}: {getattr(error, 'strerror', error)}") from error


def _create_in_wal_mode(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(name)) as fresh:
            fresh.execute("PRAGMA journal_mode = WAL")
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def is_sqlite(engine: AsyncEngine) -> bool:
    """Whether this is the embedded database: one writer at a time, no row locks."""
    return engine.dialect.name == "sqlite"


def is_pooled(engine: AsyncEngine) -> bool:
    """Whether the engine connects through PgBouncer: see `postgresql`."""
    return bool(engine.get_execution_options().get(POOLED))


@asynccontextmanager
async def translate_errors() -> AsyncIterator[None]:
    """Runs a block that uses the database. Raises LedgerDown with the database's message, in one line.

    Raises ValueError for a value that PostgreSQL cannot store, without the message, which repeats the value.
    """
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, _STATEMENT_ERRORS) and _sqlstate(error) not in _ADMINISTRATION:
            raise
        if _is_about_a_value(error):
            raise ValueError("a value that the ledger cannot hold") from None
        raise LedgerDown(str(error.orig).partition("\n")[0]) from error
    except TimeoutError as error:
        raise LedgerDown("it did not answer in time") from error
    except (PoolTimeout, OSError, asyncpg.InternalClientError) as error:
        raise LedgerDown(str(error).partition("\n")[0] or type(error).__name__) from error


def _is_about_a_value(error: DBAPIError) -> bool:
    """SQLAlchemy has no class for asyncpg's errors about values; the server's errors about values are of class 22."""
    is_client_error = isinstance(getattr(error.orig, "__cause__", None), ValueError)
    return is_client_error or _sqlstate(error).startswith(_DATA_EXCEPTION)


def _sqlstate(error: DBAPIError) -> str:
    """Returns PostgreSQL's code of the error; empty for other databases."""
    return str(getattr(getattr(error.orig, "__cause__", None), "sqlstate", ""))


def _sqlite_engine(path: Path, connections: int) -> AsyncEngine:
    url = URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": "rw", "uri": "true"}
    )
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"factory": _RollbackOnClose},
    )
    event.listen(engine.sync_engine, "do_connect", partial(_require_file, path))
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


class _RollbackOnClose(sqlite3.Connection):
    """Ends its transaction when it is closed.

    SQLite keeps a closed connection, with its locks, until its last statement is finalized. A RETURNING whose rows were
    not fetched, because the caller was cancelled, would block every other writer until then.
    """

    def close(self) -> None:
        """Rolls back what was not committed, then closes."""
        try:
            with suppress(sqlite3.ProgrammingError):  # closed already
                self.rollback()
        finally:
            super().close()

    def __del__(self) -> None:
        """Closes a connection that its caller never received.

        aiosqlite drops it when the caller is cancelled while the file is being opened.
        """
        with suppress(sqlite3.ProgrammingError):  # opening failed
            self.close()


def _require_file(path: Path, *_arguments: object) -> None:
    """Raises FileNotFoundError before aiosqlite starts a thread, which it leaks when connecting fails."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no ledger", str(path))


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # `_begin` begins transactions, not sqlite3
    cursor = connection.cursor()
    for statement in _ON_CONNECT:
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif options.get(SNAPSHOT):
        connection.exec_driver_sql("BEGIN")
