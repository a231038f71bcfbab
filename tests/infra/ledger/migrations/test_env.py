"""Alembic runs the migrations on the given connection, inside its transaction."""

from relay.infra.ledger import schema, upgrading
from relay.infra.ledger.database.engine import WRITES, build_engine, create_file, sqlite_path


async def test_a_rollback_removes_the_tables(bare_url):
    if (path := sqlite_path(bare_url)) is not None:
        create_file(path)
    engine = build_engine(bare_url, 1).execution_options(**{WRITES: True})
    async with engine.connect() as connection, connection.begin() as transaction:
        await connection.run_sync(upgrading.run_migrations)
        await transaction.rollback()
    await engine.dispose()
    assert await schema.read_state(bare_url) is schema.SchemaState.EMPTY


async def test_a_ledger_before_the_last_migration_is_older(bare_url, upgrade_to):
    await upgrade_to(bare_url, "0001")
    assert await schema.read_state(bare_url) is schema.SchemaState.OLDER
