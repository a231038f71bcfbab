"""The tables of consents, tokens, requests and scheduled transfers. Constraints repeat the rules of the code.

The tables of the registry, statistics and jobs are in `portal_tables`.

Times are whole seconds since the epoch. `ci`, `oauth_state`, `purpose`, `assets` and `content` are sealed, `customer`
is an HMAC, `mark` is the fingerprint of a customer key (see `sealing`). A consent's `ended_at` is when it left the
state active.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from relay.domain.authorization.consent import Authentication, ConsentState
from relay.domain.authorization.issued_tokens import TokenKind, TokenState
from relay.domain.authorization.request import RequestState

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
AUTOINCREMENT: Final = BigInteger().with_variant(Integer(), "sqlite")
"""An autoincrement column: SQLite has them only of type INTEGER."""


def check_values(column: str, choices: Iterable[StrEnum]) -> CheckConstraint:
    """Returns a constraint: the column holds one of these values."""
    listed = ", ".join(f"'{choice.value}'" for choice in choices)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


AUTHORIZATION_REQUESTS: Final = Table(
    "authorization_requests",
    METADATA,
    Column("request_id", String, primary_key=True),
    Column("provider", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("redirect_uri", String, nullable=False),
    Column("app_scheme", String, nullable=False),
    Column("api_tran_id", String, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ci", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("browser", LargeBinary),
    Column("oauth_state", LargeBinary, nullable=False, server_default=text("''")),  # see migration 0004
    check_values("state", RequestState),
)

CONSENTS: Final = Table(
    "consents",
    METADATA,
    Column("consent_id", String, primary_key=True),
    Column("provider", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("authentication", String, nullable=False),
    Column("is_scheduled", Boolean, nullable=False),
    Column("fnd_cycle", String, nullable=False),
    Column("add_cycle", String, nullable=False),
    Column("end_date", Date, nullable=False),
    Column("period", Date, nullable=False),
    Column("is_consent_trans_memo", Boolean),
    Column("is_consent_merchant_name_regno", Boolean),
    Column("is_consent_trans_category", Boolean),
    Column("given_at", BigInteger, nullable=False),
    Column("customer", LargeBinary, nullable=False),
    Column("ci", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("ended_at", BigInteger),
    Column("purpose", LargeBinary, nullable=False, server_default=text("''")),
    check_values("authentication", Authentication),
    check_values("state", ConsentState),
)

Index(
    "uq_consents_one_in_force",
    CONSENTS.c.customer,
    CONSENTS.c.client_id,
    CONSENTS.c.provider,
    unique=True,
    sqlite_where=text("state = 'active'"),
    postgresql_where=text("state = 'active'"),
)
Index(
    "ix_consents_end_date_in_force",
    CONSENTS.c.end_date,
    sqlite_where=text("state = 'active'"),
    postgresql_where=text("state = 'active'"),
)
Index("ix_consents_provider_given_at", CONSENTS.c.provider, CONSENTS.c.given_at)
Index(
    "ix_consents_ended_at_over",
    CONSENTS.c.ended_at,
    sqlite_where=text("ended_at IS NOT NULL"),
    postgresql_where=text("ended_at IS NOT NULL"),
)

CONSENT_SCOPES: Final = Table(
    "consent_scopes",
    METADATA,
    Column("consent_id", ForeignKey(CONSENTS.c.consent_id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("scope", String, nullable=False),
    Column("all_assets", Boolean, nullable=False),
    Column("assets", LargeBinary),
    CheckConstraint("all_assets = (assets IS NULL)", name="all_or_listed"),
)

CODES: Final = Table(
    "codes",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("consent_id", ForeignKey(CONSENTS.c.consent_id), nullable=False, index=True),
    Column("request_id", ForeignKey(AUTHORIZATION_REQUESTS.c.request_id), nullable=False, unique=True),
    Column("redirect_uri", String, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("spent_at", BigInteger),
)

Index(
    "ix_codes_expires_at_unspent",
    CODES.c.expires_at,
    sqlite_where=text("spent_at IS NULL"),
    postgresql_where=text("spent_at IS NULL"),
)

TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("jti", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("consent_id", ForeignKey(CONSENTS.c.consent_id), nullable=False, index=True),
    Column("scope", String, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    # 참고5 of the guide: two customers never get the same token
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("refreshed", Boolean, nullable=False),
    Column("state", String, nullable=False),
    check_values("kind", TokenKind),
    check_values("state", TokenState),
)

Index(
    "uq_tokens_one_live",
    TOKENS.c.consent_id,
    TOKENS.c.kind,
    unique=True,
    sqlite_where=text("state = 'live'"),
    postgresql_where=text("state = 'live'"),
)

LEDGER_IDENTITY: Final = Table(
    "ledger_identity",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("ledger_id", String, nullable=False),
    Column("generation", BigInteger, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)

REVOCATION_HEAD: Final = Table(
    "revocation_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)

REVOCATIONS: Final = Table(
    "revocations",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("jti", ForeignKey(TOKENS.c.jti), nullable=False, unique=True),
)

SPENT: Final = Table(
    "spent",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("spent_at", BigInteger, nullable=False),
    # of a tx_id: the consent that used it, and the digest of the form it came with
    Column("consent_id", String),
    Column("form", LargeBinary),
)

EVIDENCE: Final = Table(
    "evidence",
    METADATA,
    Column("consent_id", ForeignKey(CONSENTS.c.consent_id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

KEY_FINGERPRINTS: Final = Table(
    "key_marks",
    METADATA,
    Column("kid", String, primary_key=True),
    Column("mark", LargeBinary, nullable=False),
)

TRANSFERS_HEAD: Final = Table(
    "transfers_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)

# Keyed digests of consent, API and asset, joined, of one week. `week_start` is when its Sunday began.
TRANSFERS: Final = Table(
    "transfers",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("week_start", BigInteger, nullable=False),
    Column("digests", LargeBinary, nullable=False),
)

HISTORY: Final = Table(
    "history",
    METADATA,
    Column("number", AUTOINCREMENT, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("thing", String, nullable=False),
    Column("thing_id", String, nullable=False),
    Column("was", String),
    Column("became", String, nullable=False),
    Column("why", String, nullable=False),
    CheckConstraint("thing IN ('request', 'consent', 'token')", name="thing"),
    Index("ix_history_thing_id", "thing_id"),
)
