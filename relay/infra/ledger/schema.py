"""Which tables a ledger has, and how it gets those this relay knows, and the keys it is sealed with."""

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

from relay.infra.ledger import key_fingerprints as marks
from relay.infra.ledger.database.engine import WRITES, answering, engine_for, made, sqlite_path
from relay.infra.ledger.database.sealing import Sealer

_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_ONE_AT_A_TIME: Final = int.from_bytes(b"relaymig")


class SchemaState(StrEnum):
    """A ledger's tables against those this relay knows."""

    CURRENT = "current"
    OLDER = "older"
    NEWER = "newer"
    EMPTY = "empty"


class Upgraded(NamedTuple):
    """What an upgrade found, and the kids of the customer keys that it introduced."""

    before: SchemaState
    introduced: tuple[str, ...]


class SchemaProblem(Exception):
    """The relay cannot work with this ledger. The text says what to do."""

    def __init__(self, state: SchemaState) -> None:
        super().__init__(told(state))
        self.state = state


_TOLD: Final = {
    SchemaState.CURRENT: "the ledger's tables are those this relay knows",
    SchemaState.EMPTY: "the ledger has no tables yet: run `relay migrate -c relay.yaml`",
    SchemaState.OLDER: "the ledger's tables are older than this relay: run `relay migrate -c relay.yaml`",
    SchemaState.NEWER: "the ledger's tables are newer than this relay: install the newer relay that made them",
}


def told(state: SchemaState) -> str:
    """The state in words, with what to do."""
    return _TOLD[state]


def expect_current(state: SchemaState) -> None:
    """Raises SchemaProblem unless the state is CURRENT."""
    if state is not SchemaState.CURRENT:
        raise SchemaProblem(state)


async def state(url: str) -> SchemaState:
    """The state of the ledger at `url`; a SQLite file that is not there is EMPTY and stays away. Raises Unreachable."""
    path = sqlite_path(url)
    async with answering():
        if path is not None and not path.exists():
            return SchemaState.EMPTY
    async with _one(url) as engine, answering(), engine.connect() as rows:
        return await rows.run_sync(_state)


async def expect_fit(url: str, sealer: Sealer) -> None:
    """Raises SchemaProblem or KeysUnfit unless tables and customer keys are the right ones; Unreachable."""
    expect_current(await state(url))
    async with _one(url) as engine, answering(), engine.connect() as rows:
        await marks.expect_known(rows, sealer)


async def upgrade(url: str, sealer: Sealer | None = None) -> Upgraded:
    """Bring the ledger at `url` to the tables this relay knows and introduce the sealer's keys, whole or not at all.

    Without a sealer nothing is sealed, no key is introduced, and no relay starts on the ledger. Two at a time wait
    for each other. A SQLite file is made. Raises SchemaProblem for a ledger that is newer, KeysUnfit, Unreachable.
    """
    path = sqlite_path(url)
    if path is not None:
        made(path)
    async with changing(url) as rows:
        before = await rows.run_sync(_upgraded, sealer)
        return Upgraded(before, () if sealer is None else await marks.introduce(rows, sealer))


@asynccontextmanager
async def changing(url: str) -> AsyncIterator[AsyncConnection]:
    """A transaction on the ledger at `url` that no other one of these runs beside. Raises Unreachable."""
    async with _one(url) as engine, answering(), engine.execution_options(**{WRITES: True}).begin() as rows:
        if rows.dialect.name == "postgresql":
            await rows.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        yield rows


@asynccontextmanager
async def _one(url: str) -> AsyncIterator[AsyncEngine]:
    engine = engine_for(url, 1)
    try:
        yield engine
    finally:
        await engine.dispose()


def _upgraded(connection: Connection, sealer: Sealer | None) -> SchemaState:
    before = _state(connection)
    if before is SchemaState.NEWER:
        raise SchemaProblem(before)
    if before is not SchemaState.CURRENT:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["sealer"] = sealer
        command.upgrade(config, "head")
    return before


def _state(connection: Connection) -> SchemaState:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = _known()
    if revision is None:
        return SchemaState.EMPTY
    if revision not in known:
        return SchemaState.NEWER
    return SchemaState.CURRENT if revision == known[0] else SchemaState.OLDER


def _known() -> list[str]:
    """The steps this relay knows, the last one first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
