"""The version of a ledger's tables: check and upgrade, together with the ledger's customer keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from relay.infra.ledger import key_fingerprints
from relay.infra.ledger.database.engine import WRITES, build_engine, create_file, sqlite_path, translate_errors
from relay.infra.ledger.database.sealing import Sealer

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_UPGRADE_LOCK: Final = int.from_bytes(b"relaymig")


class SchemaState(StrEnum):
    """A ledger's tables compared with those this relay knows."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    EMPTY = "empty"


class UpgradeResult(NamedTuple):
    """The state before an upgrade, and the kids of the customer keys that the upgrade introduced."""

    before: SchemaState
    introduced: tuple[str, ...]


class SchemaError(Exception):
    """The relay cannot use this ledger. The text contains the remedy."""

    def __init__(self, state: SchemaState) -> None:
        super().__init__(describe_state(state))
        self.state = state


_MESSAGES: Final = {
    SchemaState.CURRENT: "the ledger's tables are those this relay knows",
    SchemaState.EMPTY: "the ledger has no tables yet: run `relay migrate -c relay.yaml`",
    SchemaState.OLDER: "the ledger's tables are older than this relay: run `relay migrate -c relay.yaml`",
    SchemaState.NEWER: "the ledger's tables are newer than this relay: install the newer relay that made them",
}


def describe_state(state: SchemaState) -> str:
    """Returns a sentence about the state, with the remedy."""
    return _MESSAGES[state]


def require_current(state: SchemaState) -> None:
    """Raises SchemaError unless the state is CURRENT."""
    if state is not SchemaState.CURRENT:
        raise SchemaError(state)


async def read_state(url: str) -> SchemaState:
    """Returns the state of the ledger at `url`; EMPTY for a missing SQLite file, which is not created.

    Raises LedgerDown.
    """
    path = sqlite_path(url)
    async with translate_errors():
        if path is not None and not path.exists():
            return SchemaState.EMPTY
    async with _open_engine(url) as engine, translate_errors(), engine.connect() as connection:
        return await connection.run_sync(_read_state)


async def check_ledger(url: str, sealer: Sealer) -> None:
    """Raises SchemaError or CustomerKeyError unless the tables and customer keys match; LedgerDown."""
    require_current(await read_state(url))
    async with _open_engine(url) as engine, translate_errors(), engine.connect() as connection:
        await key_fingerprints.require_known(connection, sealer)


async def upgrade(url: str, sealer: Sealer | None = None) -> UpgradeResult:
    """Upgrades the ledger at `url` to the tables this relay knows and introduces the sealer's keys, in one transaction.

    Without a sealer nothing is sealed, no key is introduced, and no relay starts on the ledger. Concurrent upgrades
    wait for each other. Creates a SQLite file. Raises SchemaError for a newer ledger, CustomerKeyError, LedgerDown.
    """
    path = sqlite_path(url)
    if path is not None:
        create_file(path)
    async with begin_exclusive(url) as connection:
        before = await connection.run_sync(_upgrade, sealer)
        introduced = () if sealer is None else await key_fingerprints.introduce(connection, sealer)
        return UpgradeResult(before, introduced)


@asynccontextmanager
async def begin_exclusive(url: str) -> AsyncIterator[AsyncConnection]:
    """Yields a transaction on the ledger at `url` that excludes all others of its kind. Raises LedgerDown."""
    async with (
        _open_engine(url) as engine,
        translate_errors(),
        engine.execution_options(**{WRITES: True}).begin() as connection,
    ):
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        yield connection


@asynccontextmanager
async def _open_engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = build_engine(url, 1)
    try:
        yield engine
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, sealer: Sealer | None) -> SchemaState:
    """Runs the missing migrations. Returns the state before."""
    before = _read_state(connection)
    if before is SchemaState.NEWER:
        raise SchemaError(before)
    if before is not SchemaState.CURRENT:
        run_migrations(connection, sealer=sealer)
    return before


def run_migrations(connection: Connection, revision: str = "head", sealer: Sealer | None = None) -> None:
    """Runs the missing migrations up to a revision, inside the connection's transaction."""
    config = _build_config()
    config.attributes["connection"] = connection
    config.attributes["sealer"] = sealer
    command.upgrade(config, revision)


def _read_state(connection: Connection) -> SchemaState:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = _list_revisions()
    if revision is None:
        return SchemaState.EMPTY
    if revision not in known:
        return SchemaState.NEWER
    return SchemaState.CURRENT if revision == known[0] else SchemaState.OLDER


def _list_revisions() -> list[str]:
    """Returns the revisions that this relay knows, the latest first."""
    return [script.revision for script in ScriptDirectory.from_config(_build_config()).walk_revisions()]


def _build_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
