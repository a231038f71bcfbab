"""The version of a ledger's tables, checked together with the ledger's customer keys. `migrate` upgrades them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from relay.infra.ledger import key_fingerprints
from relay.infra.ledger.database.engine import WRITES, build_engine, sqlite_path, translate_errors
from relay.infra.ledger.database.sealing import Sealer

VERSIONS: Final = Path(__file__).with_name("migrations") / "versions"
_REVISION: Final = Table("alembic_version", MetaData(), Column("version_num", String(32))).c.version_num
_UPGRADE_LOCK: Final = int.from_bytes(b"relaymig")


class SchemaState(StrEnum):
    """A ledger's tables compared with those this relay knows."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    EMPTY = "empty"


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
        return await connection.run_sync(read_state_of)


async def check_ledger(url: str, sealer: Sealer) -> None:
    """Raises SchemaError or CustomerKeyError unless the tables and customer keys match; LedgerDown."""
    require_current(await read_state(url))
    async with _open_engine(url) as engine, translate_errors(), engine.connect() as connection:
        await key_fingerprints.require_known(connection, sealer)


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


def read_state_of(connection: Connection) -> SchemaState:
    """Returns the state of the ledger behind a connection."""
    revision = None
    if inspect(connection).has_table(_REVISION.table.name):
        revision = connection.scalar(select(_REVISION))
    known = list_revisions()
    if revision is None:
        return SchemaState.EMPTY
    if revision not in known:
        return SchemaState.NEWER
    return SchemaState.CURRENT if revision == known[0] else SchemaState.OLDER


def list_revisions() -> list[str]:
    """Returns the revisions that this relay knows, the latest first: migration `v0007.py` has revision 0007."""
    return sorted((file.stem[1:] for file in VERSIONS.glob("v*.py")), reverse=True)
