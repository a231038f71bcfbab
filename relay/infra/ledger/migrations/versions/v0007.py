"""Digests of scheduled transfers made, and the number of their last row."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "transfers",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("week_start", sa.BigInteger(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_transfers")),
    )
    head = op.create_table(
        "transfers_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_transfers_head_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_transfers_head")),
    )
    op.bulk_insert(head, [{"one": 1, "number": 0}])
