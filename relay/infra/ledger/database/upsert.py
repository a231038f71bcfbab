"""INSERT with ON CONFLICT: both databases have it, SQLAlchemy in a form for each."""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERT: Final[Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def inserting(rows: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT into this table that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return _INSERT[rows.dialect.name](table)


def upserting(rows: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that takes the place of a row with the same key, whole."""
    added = inserting(rows, table)
    keys = {column.name for column in table.primary_key}
    values = {column.name: added.excluded[column.name] for column in table.c if column.name not in keys}
    return added.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)
