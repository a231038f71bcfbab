"""Where the ledger is: `sqlite:PATH` or `postgresql://HOST/DATABASE` become an engine that keeps its promises."""

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

from relay.domain.ledger import Unreachable
from relay.infra.ledger.database.postgresql import BUSY_S, POOLED, LedgerUrlWrong, postgresql_engine

__all__ = ["LedgerUrlWrong", "answering", "engine_for", "is_pooled", "is_sqlite", "made", "sqlite_path"]

WRITES: Final = "relay_writes"
"""Execution option of connections that write: on SQLite they take the lock when they begin, not in the middle."""

AT_ONE_MOMENT: Final = "relay_at_one_moment"
"""Execution option of connections that read several times: on SQLite all they see is of one moment (PostgreSQL has an
isolation level for it)."""

_SQLITE: Final = "sqlite:"
_ON_CONNECT: Final = (
    f"PRAGMA busy_timeout = {BUSY_S * 1000}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a consent that was answered survives a power cut
    "PRAGMA foreign_keys = ON",
)
_OURS: Final = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""What the database says about our statements; everything else it says about itself."""

_DATA: Final = "22"
"""The class of SQLSTATEs that are about a value (data exception)."""
_ABOUT_ITSELF: Final = frozenset({"42501", "0A000"})
"""SQLSTATEs that are a matter of who administers the database, not of the statement: a right that is not granted, and a
table that was replaced while a plan for it was remembered."""


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite ledger, None for another kind."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def engine_for(url: str, connections: int) -> AsyncEngine:
    """An engine of at most `connections` connections; opens none yet. Raises LedgerUrlWrong.

    A SQLite file is never made by looking at it: `made` makes it.
    """
    path = sqlite_path(url)
    return postgresql_engine(url, connections) if path is None else _sqlite(path, connections)


def made(path: Path) -> None:
    """Make an empty SQLite file that only its owner reads, unless it is there. Raises Unreachable.

    It appears whole, in WAL mode already: of several that turn a file to WAL at once, all but one are told that it is
    locked, whatever they would have waited.
    """
    try:
        if not path.exists():
            _appear(path)
    except FileNotFoundError as error:
        raise Unreachable(f"there is no folder {path.parent}") from error
    except (OSError, sqlite3.Error) as error:
        raise Unreachable(f"no file can be made in {path.parent}: {getattr(error, 'strerror', error)}") from error


def _appear(path: Path) -> None:
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
    """Whether this is the embedded database: one writer at a time, no locks on rows."""
    return engine.dialect.name == "sqlite"


def is_pooled(engine: AsyncEngine) -> bool:
    """Whether PgBouncer stands before the database: see `postgresql`."""
    return bool(engine.get_execution_options().get(POOLED))


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """A block that talks to the database; when that does not answer, Unreachable with what it says, in one line.

    Raises ValueError for a value that PostgreSQL cannot hold: the database is well, and its words repeat the value.
    """
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, _OURS) and _sqlstate(error) not in _ABOUT_ITSELF:
            raise
        if _about_a_value(error):
            raise ValueError("a value that the ledger cannot hold") from None
        raise Unreachable(str(error.orig).partition("\n")[0]) from error
    except TimeoutError as error:
        raise Unreachable("it did not answer in time") from error
    except (PoolTimeout, OSError, asyncpg.InternalClientError) as error:
        raise Unreachable(str(error).partition("\n")[0] or type(error).__name__) from error


def _about_a_value(error: DBAPIError) -> bool:
    """SQLAlchemy gives asyncpg's errors about values no class of their own; the server's are of class 22."""
    return isinstance(getattr(error.orig, "__cause__", None), ValueError) or _sqlstate(error).startswith(_DATA)


def _sqlstate(error: DBAPIError) -> str:
    """What PostgreSQL calls the error; empty for others."""
    return str(getattr(getattr(error.orig, "__cause__", None), "sqlstate", ""))


def _sqlite(path: Path, connections: int) -> AsyncEngine:
    address = URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": "rw", "uri": "true"}
    )
    engine = create_async_engine(
        address,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"factory": _RollingBack},
    )
    event.listen(engine.sync_engine, "do_connect", partial(_expected, path))
    event.listen(engine.sync_engine, "connect", _prepared)
    event.listen(engine.sync_engine, "begin", _begun)
    return engine


class _RollingBack(sqlite3.Connection):
    """Ends its transaction when it is closed.

    SQLite by itself keeps a closed connection, with its locks, until its last statement is forgotten: a RETURNING whose
    rows nobody fetched, because who asked was cancelled, would stop every other writer until then.
    """

    def close(self) -> None:
        """Undo what was not committed, then close."""
        try:
            with suppress(sqlite3.ProgrammingError):  # closed already
                self.rollback()
        finally:
            super().close()

    def __del__(self) -> None:
        """Close a connection that its caller never received.

        aiosqlite drops it when the caller is cancelled while the file is being opened.
        """
        with suppress(sqlite3.ProgrammingError):  # opening failed
            self.close()


def _expected(path: Path, *_how: object) -> None:
    """Said before a thread is begun for the connection: aiosqlite leaves it behind when connecting fails."""
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no ledger", str(path))


def _prepared(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begun` says, not where sqlite3 guesses
    cursor = connection.cursor()
    for statement in _ON_CONNECT:
        cursor.execute(statement)
    cursor.close()


def _begun(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif options.get(AT_ONE_MOMENT):
        connection.exec_driver_sql("BEGIN")
