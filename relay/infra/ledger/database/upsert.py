"""INSERT with ON CONFLICT, for both databases: SQLAlchemy has a class for each dialect."""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERT: Final[Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_into(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Returns an INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return _INSERT[connection.dialect.name](table)


def upsert_into(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Returns an INSERT that replaces all columns of a row with the same key."""
    statement = insert_into(connection, table)
    keys = {column.name for column in table.primary_key}
    values = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)
