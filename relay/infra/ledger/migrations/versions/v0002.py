"""Fingerprints of customer keys, which detect a wrong key under a known kid before it is used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the empty table. `key_fingerprints` fills it: a migration has no keys."""
    op.create_table(
        "key_marks",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_key_marks")),
    )
