"""Marks of customer keys: by them a wrong key under a known name is noticed before it is used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make their table, empty: `marks` writes them, since a step knows no keys."""
    op.create_table(
        "key_marks",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_key_marks")),
    )
