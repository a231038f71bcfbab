"""Seals what of a customer stood in clear; remembers which form used a tx_id up; finds codes that were never spent."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"

_BATCH: Final = 1000
_SEALED: Final = (
    ("authorization_requests", "request_id", "oauth_state", "state of a request"),
    ("consents", "consent_id", "purpose", "purpose of a consent"),
)
"""Table, its key, the column, and where it is sealed: the place is `WORDS:KEY`."""


def upgrade() -> None:
    """Seal `state` and the purpose under the first customer key; add the columns and the index.

    Raises ValueError when there are rows to seal and no keys.
    """
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what stood in clear leaves the file, too
    for table, key, column, place in _SEALED:
        _seal(connection, sa.table(table, *map(sa.column, (key, column, "sealed"))), place)
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


def _seal(connection: sa.Connection, table: sa.TableClause, place: str) -> None:
    """Seal a column row by row: into a new one, which takes the name of the old one."""
    key, column, _ = table.c
    # SQLite adds a column without NULL only with a default; nothing is ever written without the column
    op.add_column(table.name, sa.Column("sealed", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    sealer: Any = context.config.attributes.get("sealer")
    sealed = sa.update(table).where(key == sa.bindparam("row"))
    # the clear value is taken out of the row first: PostgreSQL keeps what a dropped column held
    sealed = sealed.values({"sealed": sa.bindparam("blob", type_=sa.LargeBinary()), column.name: ""})
    clear = sa.select(key, column).where(key > sa.bindparam("last")).order_by(key).limit(_BATCH)
    last = ""
    while rows := connection.execute(clear, {"last": last}).all():
        if sealer is None:
            raise ValueError("there are rows to seal and no customer keys")
        blobs = [{"row": row, "blob": sealer.seal(text.encode(), f"{place}:{row}")} for row, text in rows]
        connection.execute(sealed, blobs)
        last = rows[-1][0]
    op.drop_column(table.name, column.name)
    op.alter_column(table.name, "sealed", new_column_name=column.name)
