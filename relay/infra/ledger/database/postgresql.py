"""A PostgreSQL ledger's URL, in libpq's words, becomes an engine that stays at the primary."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_S: Final = 10
"""So long one process waits for another that writes, and for a connection."""

RECYCLE_S: Final = 300
"""A connection is replaced after this time, so that a server that moves is followed."""

POOLED: Final = "relay_pooled"
"""Execution option of an engine behind PgBouncer: each transaction may come to another connection of the server."""

_SCHEMES: Final = frozenset({"postgresql", "postgresql+asyncpg", "postgres"})
"""The name, and what other tools write for it."""

_LIMITS: Final = {
    "lock_timeout": f"{BUSY_S}s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}
_SERVER: Final = {"application_name": "relay", "jit": "off", **_LIMITS}

_READ_ONLY: Final = "25006"
"""The SQLSTATE of a write on a server that takes none (read_only_sql_transaction)."""

_TLS_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TARGETS: Final = ("primary", "read-write", "any", "standby", "prefer-standby", "read-only")
_YES_NO: Final = ("true", "false")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _TLS_MODES,
    "target_session_attrs": _TARGETS,
    "pgbouncer": _YES_NO,
}
_WORDS: Final = frozenset(
    {
        *("host", "port", "dbname", "user", "password", "passfile", "application_name", "connect_timeout"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib"),
        "pgbouncer",
    }
)
"""Words behind `?` that are understood: libpq's, and `pgbouncer`."""


class LedgerUrlWrong(ValueError):
    """The URL leads to no ledger. The text never repeats it: there may be a password in it."""


def postgresql_engine(url: str, connections: int) -> AsyncEngine:
    """An engine of at most `connections` connections to the primary; opens none yet. Raises LedgerUrlWrong.

    A write that meets a read-only server closes every connection: the next ones look for the primary again.
    """
    dsn, words = parse_url(url)
    pooled = words.pop("pgbouncer", "false") == "true"
    timeout = words.pop("connect_timeout", None)
    server = {**_SERVER, "application_name": words.pop("application_name", "relay")}
    words.setdefault("target_session_attrs", "primary")
    arguments: dict[str, Any] = {
        "dsn": f"{dsn}?{urlencode(words, quote_via=quote)}",
        "timeout": BUSY_S if timeout is None else int(timeout),
        "server_settings": server,
    }
    if pooled:
        arguments |= {
            "server_settings": {"application_name": server["application_name"]},  # PgBouncer refuses others
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,  # unnamed: a name would stay on a connection that others use next
        }
    engine = create_async_engine(
        "postgresql+asyncpg://",  # where it leads stands in `dsn` alone: what is logged of an engine holds no password
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_S,
        pool_timeout=BUSY_S,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args=arguments,
        execution_options={POOLED: pooled},
    )
    event.listen(engine.sync_engine, "handle_error", _disconnect_read_only)
    if pooled:
        event.listen(engine.sync_engine, "begin", _limit_transaction)
    return engine


def _disconnect_read_only(context: ExceptionContext) -> None:
    cause = getattr(context.original_exception, "__cause__", None)
    if getattr(cause, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True  # and with this connection every other one of the pool


def _limit_transaction(connection: Connection) -> None:
    """Set for one transaction what PgBouncer does not take when a connection starts."""
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _LIMITS.items())
    connection.exec_driver_sql(f"SELECT {settings}")


def parse_url(url: str) -> tuple[str, dict[str, str]]:
    """The URL without what stands behind `?`, and that by libpq's words. Raises LedgerUrlWrong."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise LedgerUrlWrong("the ledger's URL cannot be read") from None  # the cause repeats it
    words = {name: value for name, value in pairs if name != "host"}
    hosts = [value for name, value in pairs if name == "host"]
    if "ssl" in words:
        words["sslmode"] = words.pop("ssl")  # asyncpg's word and libpq's
    if parts.scheme not in _SCHEMES or not (parts.path.strip("/") or words.get("dbname")):
        raise LedgerUrlWrong("the ledger's URL is neither sqlite:PATH nor postgresql://HOST/DATABASE")
    _expect_known(words)
    login, at, written = parts.netloc.rpartition("@")
    _expect_ports(written.split(","))
    if hosts:  # they stand above those before the path, as libpq has it
        written, words["host"] = "", ",".join(hosts)
    return f"postgresql://{login}{at}{written}{parts.path}", words


def _expect_known(words: Mapping[str, str]) -> None:
    for name, value in words.items():
        if name not in _WORDS:
            shown = name if name.isascii() and name.replace("_", "").isalnum() else "a word"
            raise LedgerUrlWrong(f"the ledger's URL holds {shown}, which is not known: {' '.join(sorted(_WORDS))}")
        choices = _CHOICES.get(name, (value,))
        if value not in choices:
            raise LedgerUrlWrong(f"{name} in the ledger's URL is not one of {', '.join(choices)}")
    if not words.get("connect_timeout", "1").isdigit():
        raise LedgerUrlWrong("connect_timeout in the ledger's URL is no number of seconds")
    _expect_ports(f":{port}" for port in words.get("port", "1").split(","))


def _expect_ports(hosts: Iterable[str]) -> None:
    for host in hosts:
        port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host.rpartition("]")[2] else "1"
        if not (port.isascii() and port.isdigit()):
            raise LedgerUrlWrong("the ledger's URL has a port that is no number")
