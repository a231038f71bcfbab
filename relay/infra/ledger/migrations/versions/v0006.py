"""The identity of the ledger: a random id, and a generation that is incremented after a restore from a backup."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates the table and its one row."""
    table = op.create_table(
        "ledger_identity",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ledger_id", sa.String(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_ledger_identity_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_ledger_identity")),
    )
    op.bulk_insert(table, [{"one": 1, "ledger_id": secrets.token_hex(16), "generation": 1}])
