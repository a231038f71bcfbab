"""The SQLAlchemy engine of a PostgreSQL ledger: reads libpq's URL and keeps to the primary."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_S: Final = 10
"""Longest wait for a lock and for a connection, in seconds."""

RECYCLE_S: Final = 300
"""A connection is replaced after this time, so that the pool follows a server that moves."""

POOLED: Final = "relay_pooled"
"""Execution option of an engine behind PgBouncer: each transaction may use another connection of the server."""

_SCHEMES: Final = frozenset({"postgresql", "postgresql+asyncpg", "postgres"})
"""The scheme, and the spellings of other tools."""

_LIMITS: Final = {
    "lock_timeout": f"{BUSY_S}s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}
_SERVER_SETTINGS: Final = {"application_name": "relay", "jit": "off", **_LIMITS}

_READ_ONLY: Final = "25006"
"""The SQLSTATE of a write on a read-only server (read_only_sql_transaction)."""

_TLS_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TARGETS: Final = ("primary", "read-write", "any", "standby", "prefer-standby", "read-only")
_YES_NO: Final = ("true", "false")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _TLS_MODES,
    "target_session_attrs": _TARGETS,
    "pgbouncer": _YES_NO,
}
_PARAMETERS: Final = frozenset(
    {
        *("host", "port", "dbname", "user", "password", "passfile", "application_name", "connect_timeout"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib"),
        "pgbouncer",
    }
)
"""The parameters after `?` that are accepted: libpq's, and `pgbouncer`."""


class LedgerUrlError(ValueError):
    """The URL is not of a ledger. The text never repeats the URL, which may contain a password."""


def postgresql_engine(url: str, connections: int) -> AsyncEngine:
    """Returns an engine of at most `connections` connections to the primary; opens none yet. Raises LedgerUrlError.

    A write on a read-only server closes every connection: the next ones look for the primary again.
    """
    dsn, parameters = parse_url(url)
    is_pooled = parameters.pop("pgbouncer", "false") == "true"
    timeout = parameters.pop("connect_timeout", None)
    server_settings = {**_SERVER_SETTINGS, "application_name": parameters.pop("application_name", "relay")}
    parameters.setdefault("target_session_attrs", "primary")
    arguments: dict[str, Any] = {
        "dsn": f"{dsn}?{urlencode(parameters, quote_via=quote)}",
        "timeout": BUSY_S if timeout is None else int(timeout),
        "server_settings": server_settings,
    }
    if is_pooled:
        arguments |= {
            # PgBouncer refuses all others
            "server_settings": {"application_name": server_settings["application_name"]},
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,  # unnamed: a name would stay on a connection that another client gets
        }
    engine = create_async_engine(
        "postgresql+asyncpg://",  # host and password are in `dsn` alone, so a logged engine shows no password
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_S,
        pool_timeout=BUSY_S,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args=arguments,
        execution_options={POOLED: is_pooled},
    )
    event.listen(engine.sync_engine, "handle_error", _disconnect_read_only)
    if is_pooled:
        event.listen(engine.sync_engine, "begin", _limit_transaction)
    return engine


def _disconnect_read_only(context: ExceptionContext) -> None:
    cause = getattr(context.original_exception, "__cause__", None)
    if getattr(cause, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True  # SQLAlchemy then invalidates the whole pool


def _limit_transaction(connection: Connection) -> None:
    """Sets the limits for one transaction: PgBouncer does not accept them at connection start."""
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _LIMITS.items())
    connection.exec_driver_sql(f"SELECT {settings}")


def parse_url(url: str) -> tuple[str, dict[str, str]]:
    """Returns the URL without its query, and the query's parameters by libpq's names. Raises LedgerUrlError."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise LedgerUrlError("the ledger's URL cannot be read") from None  # the cause repeats it
    parameters = {name: value for name, value in pairs if name != "host"}
    hosts = [value for name, value in pairs if name == "host"]
    if "ssl" in parameters:
        parameters["sslmode"] = parameters.pop("ssl")  # asyncpg's name and libpq's
    if parts.scheme not in _SCHEMES or not (parts.path.strip("/") or parameters.get("dbname")):
        raise LedgerUrlError("the ledger's URL is neither sqlite:PATH nor postgresql://HOST/DATABASE")
    _check_parameters(parameters)
    login, at, authority_hosts = parts.netloc.rpartition("@")
    _check_ports(authority_hosts.split(","))
    if hosts:  # they override those before the path, as in libpq
        authority_hosts, parameters["host"] = "", ",".join(hosts)
    return f"postgresql://{login}{at}{authority_hosts}{parts.path}", parameters


def _check_parameters(parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        if name not in _PARAMETERS:
            shown = name if name.isascii() and name.replace("_", "").isalnum() else "a parameter"
            allowed = " ".join(sorted(_PARAMETERS))
            raise LedgerUrlError(f"the ledger's URL holds {shown}, which is not known: {allowed}")
        choices = _CHOICES.get(name, (value,))
        if value not in choices:
            raise LedgerUrlError(f"{name} in the ledger's URL is not one of {', '.join(choices)}")
    if not parameters.get("connect_timeout", "1").isdigit():
        raise LedgerUrlError("connect_timeout in the ledger's URL is not a number of seconds")
    _check_ports(f":{port}" for port in parameters.get("port", "1").split(","))


def _check_ports(hosts: Iterable[str]) -> None:
    for host in hosts:
        port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host.rpartition("]")[2] else "1"
        if not (port.isascii() and port.isdigit()):
            raise LedgerUrlError("the ledger's URL has a port that is not a number")
