"""Seals customer data that was stored in clear; adds the form that used a tx_id, and an index of unused codes."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"

BATCH: Final = 1000
"""Rows that are read at a time."""
_SEALED: Final = (
    ("authorization_requests", "request_id", "oauth_state", "state of a request"),
    ("consents", "consent_id", "purpose", "purpose of a consent"),
)
"""Table, its key, the column, and the begin of its sealing context, which is `BEGIN:KEY`."""


def upgrade() -> None:
    """Seals `state` and the purpose under the first customer key; adds the columns and the index.

    Raises ValueError when there are rows to seal and no keys.
    """
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # the clear values are erased from the file
    for table, key, column, context_prefix in _SEALED:
        _seal(connection, sa.table(table, *map(sa.column, (key, column, "sealed"))), context_prefix)
    op.add_column("spent", sa.Column("consent_id", sa.String(), nullable=True))
    op.add_column("spent", sa.Column("form", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_codes_expires_at_unspent",
        "codes",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("spent_at IS NULL"),
        postgresql_where=sa.text("spent_at IS NULL"),
    )


def _seal(connection: sa.Connection, table: sa.TableClause, context_prefix: str) -> None:
    """Seals a column row by row, into a new column that then takes the old column's name."""
    key, column, _ = table.c
    # SQLite adds a NOT NULL column only with a default; every write sets the column
    op.add_column(table.name, sa.Column("sealed", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    sealer: Any = context.config.attributes.get("sealer")
    sealed = sa.update(table).where(key == sa.bindparam("row"))
    # the clear value is blanked first: PostgreSQL keeps the values of a dropped column
    sealed = sealed.values({"sealed": sa.bindparam("blob", type_=sa.LargeBinary()), column.name: ""})
    clear = sa.select(key, column).where(key > sa.bindparam("last")).order_by(key).limit(BATCH)
    last = ""
    while rows := connection.execute(clear, {"last": last}).all():
        if sealer is None:
            raise ValueError("there are rows to seal and no customer keys")
        blobs = [{"row": row, "blob": sealer.seal(text.encode(), f"{context_prefix}:{row}")} for row, text in rows]
        connection.execute(sealed, blobs)
        last = rows[-1][0]
    op.drop_column(table.name, column.name)
    op.alter_column(table.name, "sealed", new_column_name=column.name)
