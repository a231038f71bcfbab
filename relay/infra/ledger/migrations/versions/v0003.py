"""The tables for the portal: registry, statistics, pulses, sendings, jobs, leadership, portal_calls.

Consents get the time of their end.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the tables and their permanent rows; fills `ended_at` of older consents."""
    _create_registry()
    _create_registry_entries()
    _create_statistics()
    _create_sendings()
    _create_jobs()
    _add_ended_at_and_indexes()


def _create_registry() -> None:
    op.create_table(
        "registry_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("orgs_timestamp", sa.String(), nullable=False),
        sa.Column("services_timestamp", sa.String(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_registry_head_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_registry_head")),
    )
    op.execute(
        "INSERT INTO registry_head (one, number, orgs_timestamp, services_timestamp, synced_at)"
        " VALUES (1, 0, '0', '0', 0)"
    )
    op.create_table(
        "registry_held",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hold_id", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.String(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_registry_held_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_registry_held")),
    )


def _create_registry_entries() -> None:
    op.create_table(
        "organisations",
        sa.Column("org_code", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("org_type", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("serial_num", sa.String(), nullable=False),
        sa.Column("addresses", sa.String(), nullable=False),
        sa.Column("is_receiver", sa.Boolean(), nullable=False),
        sa.Column("relay", sa.String(), nullable=False),
        sa.Column("industry", sa.String(), nullable=False),
        sa.Column("slots", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("cert_issuer_dn", sa.String(), nullable=False),
        sa.Column("cert_oid", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org_code", name=op.f("pk_organisations")),
        sa.UniqueConstraint("number", name=op.f("uq_organisations_number")),
    )
    op.create_table(
        "services",
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hashed", sa.String(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("callbacks", sa.String(), nullable=False),
        sa.Column("app_schemes", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_services")),
        sa.UniqueConstraint("number", name=op.f("uq_services_number")),
    )


def _create_statistics() -> None:
    line = ("stat_date", "tm_slot", "provider", "operator", "client_id", "type", "api_code", "outcome")
    op.create_table(
        "statistics",
        *[sa.Column(name, sa.String(), nullable=False) for name in line],
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("counted > 0", name=op.f("ck_statistics_counted")),
        sa.PrimaryKeyConstraint(*line, name=op.f("pk_statistics")),
    )
    op.create_index("ix_statistics_provider_stat_date", "statistics", ["provider", "stat_date"], unique=False)
    op.create_table(
        "statistics_batches",
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_statistics_batches")),
    )
    op.create_index(op.f("ix_statistics_batches_taken_at"), "statistics_batches", ["taken_at"], unique=False)
    op.create_table(
        "pulses",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_pulses")),
    )


def _create_sendings() -> None:
    op.create_table(
        "sendings",
        sa.Column("week", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=False),
        sa.Column("tran_id", sa.String(), nullable=False),
        sa.Column("rsp_code", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'accepted', 'refused')", name=op.f("ck_sendings_state")),
        sa.PrimaryKeyConstraint("week", "provider", "type", name=op.f("pk_sendings")),
    )


def _create_jobs() -> None:
    op.create_table(
        "leadership",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_leadership_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_leadership")),
    )
    op.execute("INSERT INTO leadership (one, holder, fence, until) VALUES (1, '', 0, 0)")
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs")),
    )
    op.create_table(
        "portal_calls",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("api_id", sa.String(), nullable=False),
        sa.Column("tran_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("rsp_code", sa.String(), nullable=False),
        sa.Column("took_ms", sa.Double(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_portal_calls")),
    )
    op.create_index(op.f("ix_portal_calls_at"), "portal_calls", ["at"], unique=False)


def _add_ended_at_and_indexes() -> None:
    """Adds `ended_at` to consents, filled from the history, and indexes of consents and codes.

    The history has recorded since the first migration when a consent left the state active.
    """
    op.add_column("consents", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE consents SET ended_at = COALESCE((SELECT max(history.at) FROM history WHERE history.thing = 'consent'"
        " AND history.thing_id = consents.consent_id AND history.became <> 'active'), given_at)"
        " WHERE state <> 'active'"
    )
    op.create_index("ix_consents_provider_given_at", "consents", ["provider", "given_at"], unique=False)
    op.create_index(
        "ix_consents_ended_at_over",
        "consents",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_codes_consent_id"), "codes", ["consent_id"], unique=False)
