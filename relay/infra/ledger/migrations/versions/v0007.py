"""Marks of scheduled transfers made, and the number of their last row."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "transfer_marks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("week_start", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_transfer_marks")),
    )
    head = op.create_table(
        "transfer_marks_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_transfer_marks_head_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_transfer_marks_head")),
    )
    op.bulk_insert(head, [{"one": 1, "number": 0}])
