"""The first tables: requests, consents, codes, tokens, revocations, single-use values, evidence, history."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables, and the one row that counts revocations."""
    _create_requests()
    _create_consents()
    _create_particulars()
    _create_tokens()
    _create_revocations()
    _create_records()


def _create_requests() -> None:
    op.create_table(
        "authorization_requests",
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("app_scheme", sa.String(), nullable=False),
        sa.Column("oauth_state", sa.String(), nullable=False),
        sa.Column("api_tran_id", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ci", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'authenticated', 'consented', 'denied', 'locked')",
            name=op.f("ck_authorization_requests_state"),
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_authorization_requests")),
    )


def _create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("consent_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("authentication", sa.String(), nullable=False),
        sa.Column("is_scheduled", sa.Boolean(), nullable=False),
        sa.Column("fnd_cycle", sa.String(), nullable=False),
        sa.Column("add_cycle", sa.String(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("is_consent_trans_memo", sa.Boolean(), nullable=True),
        sa.Column("is_consent_merchant_name_regno", sa.Boolean(), nullable=True),
        sa.Column("is_consent_trans_category", sa.Boolean(), nullable=True),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("customer", sa.LargeBinary(), nullable=False),
        sa.Column("ci", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("authentication IN ('individual', 'integrated')", name=op.f("ck_consents_authentication")),
        sa.CheckConstraint("state IN ('active', 'revoked', 'replaced', 'ended')", name=op.f("ck_consents_state")),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_consents")),
    )
    op.create_index(
        "ix_consents_end_date_in_force",
        "consents",
        ["end_date"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        "uq_consents_one_in_force",
        "consents",
        ["customer", "client_id", "provider"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )


def _create_particulars() -> None:
    op.create_table(
        "consent_scopes",
        sa.Column("consent_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("all_assets", sa.Boolean(), nullable=False),
        sa.Column("assets", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("all_assets = (assets IS NULL)", name=op.f("ck_consent_scopes_all_or_listed")),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.consent_id"], name=op.f("fk_consent_scopes_consent_id")),
        sa.PrimaryKeyConstraint("consent_id", "position", name=op.f("pk_consent_scopes")),
    )
    op.create_table(
        "evidence",
        sa.Column("consent_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.consent_id"], name=op.f("fk_evidence_consent_id")),
        sa.PrimaryKeyConstraint("consent_id", "position", name=op.f("pk_evidence")),
    )


def _create_tokens() -> None:
    op.create_table(
        "codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("consent_id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.consent_id"], name=op.f("fk_codes_consent_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["authorization_requests.request_id"], name=op.f("fk_codes_request_id")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_codes")),
        sa.UniqueConstraint("request_id", name=op.f("uq_codes_request_id")),
    )
    op.create_table(
        "tokens",
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("consent_id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("refreshed", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('access', 'refresh')", name=op.f("ck_tokens_kind")),
        sa.CheckConstraint("state IN ('live', 'revoked')", name=op.f("ck_tokens_state")),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.consent_id"], name=op.f("fk_tokens_consent_id")),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_consent_id"), "tokens", ["consent_id"], unique=False)
    op.create_index(
        "uq_tokens_one_live",
        "tokens",
        ["consent_id", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )


def _create_revocations() -> None:
    op.create_table(
        "revocation_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_revocation_head_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_revocation_head")),
    )
    op.create_table(
        "revocations",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("jti", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["jti"], ["tokens.jti"], name=op.f("fk_revocations_jti")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revocations")),
        sa.UniqueConstraint("jti", name=op.f("uq_revocations_jti")),
    )
    op.execute("INSERT INTO revocation_head (one, number) VALUES (1, 0)")


def _create_records() -> None:
    op.create_table(
        "spent",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "digest", name=op.f("pk_spent")),
    )
    op.create_table(
        "history",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("thing_id", sa.String(), nullable=False),
        sa.Column("was", sa.String(), nullable=True),
        sa.Column("became", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.CheckConstraint("thing IN ('request', 'consent', 'token')", name=op.f("ck_history_thing")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_history")),
    )
    op.create_index("ix_history_thing_id", "history", ["thing_id"], unique=False)
