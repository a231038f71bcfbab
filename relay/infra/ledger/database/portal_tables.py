"""The tables of the registry, statistics, messages to the portal, jobs and leadership.

Times are whole seconds since the epoch, days and weeks YYYYMMDD. Lists are JSON text. No row here is about a customer.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from relay.domain.registry import Cause
from relay.domain.statistics import SendingState
from relay.infra.ledger.database.tables import AUTOINCREMENT, METADATA, check_values

REGISTRY_HEAD: Final = Table(
    "registry_head",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("orgs_timestamp", String, nullable=False),
    Column("services_timestamp", String, nullable=False),
    Column("synced_at", BigInteger, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)

# `gone` rows keep only their key and number, so that followers of the numbers see the removal.
ORGANISATIONS: Final = Table(
    "organisations",
    METADATA,
    Column("org_code", String, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("gone", Boolean, nullable=False),
    Column("org_type", String, nullable=False),
    Column("name", String, nullable=False),
    Column("serial_num", String, nullable=False),
    Column("addresses", String, nullable=False),
    Column("is_receiver", Boolean, nullable=False),
    Column("relay", String, nullable=False),
    Column("industry", String, nullable=False),
    Column("slots", String, nullable=False),
    Column("domain", String, nullable=False),
    Column("cert_issuer_dn", String, nullable=False),
    Column("cert_oid", String, nullable=False),
)

# `hashed` is the slow hash of the service's secret, `mark` a keyed digest that recognizes the same secret.
SERVICES: Final = Table(
    "services",
    METADATA,
    Column("client_id", String, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("gone", Boolean, nullable=False),
    Column("operator", String, nullable=False),
    Column("name", String, nullable=False),
    Column("hashed", String, nullable=False),
    Column("mark", LargeBinary, nullable=False),
    Column("callbacks", String, nullable=False),
    Column("app_schemes", String, nullable=False),
)

REGISTRY_HELD: Final = Table(
    "registry_held",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("hold_id", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("changes", String, nullable=False),
    Column("reasons", String, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)

# The row that change `number` replaced: JSON of its columns, "" when there was none.
REGISTRY_PAST: Final = Table(
    "registry_past",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("former", String, nullable=False),
    CheckConstraint("kind IN ('organisation', 'service')", name="kind"),
    check_values("cause", Cause),
)

REGISTRY_DISCARDED: Final = Table(
    "registry_discarded",
    METADATA,
    Column("hold_id", String, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("changes", String, nullable=False),
)

# Organisations that may no longer call and services that were removed, until they return.
REGISTRY_AWAY: Final = Table(
    "registry_away",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("since", BigInteger, nullable=False),
    CheckConstraint("kind IN ('organisation', 'service')", name="kind"),
)

STATISTICS: Final = Table(
    "statistics",
    METADATA,
    Column("stat_date", String, primary_key=True),
    Column("tm_slot", String, primary_key=True),
    Column("provider", String, primary_key=True),
    Column("operator", String, primary_key=True),
    Column("client_id", String, primary_key=True),
    Column("type", String, primary_key=True),
    Column("api_code", String, primary_key=True),
    Column("outcome", String, primary_key=True),
    Column("counted", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    CheckConstraint("counted > 0", name="counted"),
    Index("ix_statistics_provider_stat_date", "provider", "stat_date"),
)

STATISTICS_BATCHES: Final = Table(
    "statistics_batches",
    METADATA,
    Column("batch_id", String, primary_key=True),
    Column("taken_at", BigInteger, nullable=False, index=True),
)

# The count that a repair added to a line; `pending` of it is subtracted from late batches.
STATISTICS_REPAIRS: Final = Table(
    "statistics_repairs",
    METADATA,
    Column("number", AUTOINCREMENT, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("stat_date", String, nullable=False, index=True),
    Column("tm_slot", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("operator", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("api_code", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    CheckConstraint("added > 0 AND pending BETWEEN 0 AND added", name="added"),
)

PULSES: Final = Table(
    "pulses",
    METADATA,
    Column("provider", String, primary_key=True),
    Column("answered_at", BigInteger, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
)

# `content` is compressed (zlib). `requested_at` is the portal's last request for it (지원-104), 0 for never.
SENDINGS: Final = Table(
    "sendings",
    METADATA,
    Column("week", String, primary_key=True),
    Column("provider", String, primary_key=True),
    Column("type", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("asked", Boolean, key="requested", nullable=False),
    Column("asked_at", BigInteger, key="requested_at", nullable=False),
    Column("tried_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("counted_at", BigInteger, nullable=False),
    Column("tran_id", String, nullable=False),
    Column("rsp_code", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    check_values("state", SendingState),
)

LEADERSHIP: Final = Table(
    "leadership",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("holder", String, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("name", String, primary_key=True),
    Column("begun_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("succeeded_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("asked_at", BigInteger, key="requested_at", nullable=False),
    Column("told", String, key="result", nullable=False),
)

PORTAL_CALLS: Final = Table(
    "portal_calls",
    METADATA,
    Column("number", AUTOINCREMENT, primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("api_id", String, nullable=False),
    Column("tran_id", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("rsp_code", String, nullable=False),
    Column("took_ms", Double, nullable=False),
    Column("outcome", String, nullable=False),
)
