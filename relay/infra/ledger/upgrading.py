"""Upgrades a ledger's tables by Alembic, together with the ledger's customer keys.

Only commands load this module: Alembic takes 0.1 s of each start.
"""

from pathlib import Path
from typing import Final, NamedTuple

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from relay.infra.ledger import key_fingerprints
from relay.infra.ledger.database.engine import create_file, sqlite_path
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.schema import SchemaError, SchemaState, begin_exclusive, read_state_of

_MIGRATIONS: Final = Path(__file__).with_name("migrations")


class UpgradeResult(NamedTuple):
    """The state before an upgrade, and the kids of the customer keys that the upgrade introduced."""

    before: SchemaState
    introduced: tuple[str, ...]


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


def _upgrade(connection: Connection, sealer: Sealer | None) -> SchemaState:
    """Runs the missing migrations. Returns the state before."""
    before = read_state_of(connection)
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


def _build_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
