"""Former values of the registry, discarded syncs, absent entries; repairs of statistics."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Creates the tables. Entries that are gone count as absent since the last sync with the portal."""
    op.create_table(
        "registry_past",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("former", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('organisation', 'service')", name=op.f("ck_registry_past_kind")),
        sa.CheckConstraint("cause IN ('sync', 'counted', 'released')", name=op.f("ck_registry_past_cause")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_registry_past")),
    )
    op.create_index(op.f("ix_registry_past_at"), "registry_past", ["at"], unique=False)
    op.create_table(
        "registry_discarded",
        sa.Column("hold_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("changes", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_registry_discarded")),
    )
    _create_absences()
    _create_repairs()


def _create_absences() -> None:
    op.create_table(
        "registry_away",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('organisation', 'service')", name=op.f("ck_registry_away_kind")),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_registry_away")),
    )
    for table, kind, key in (("organisations", "organisation", "org_code"), ("services", "service", "client_id")):
        op.execute(
            f"INSERT INTO registry_away (kind, name, since) SELECT '{kind}', {key}, registry_head.synced_at"  # noqa: S608
            f" FROM {table} CROSS JOIN registry_head WHERE gone"
        )


def _create_repairs() -> None:
    line = ("stat_date", "tm_slot", "provider", "operator", "client_id", "type", "api_code", "outcome")
    op.create_table(
        "statistics_repairs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *[sa.Column(name, sa.String(), nullable=False) for name in line],
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("added > 0 AND pending BETWEEN 0 AND added", name=op.f("ck_statistics_repairs_added")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_statistics_repairs")),
    )
    op.create_index(op.f("ix_statistics_repairs_stat_date"), "statistics_repairs", ["stat_date"], unique=False)
