"""Alembic runs our steps on the connection it is given, inside that connection's transaction."""

from alembic import command

from relay.infra.ledger import schema
from relay.infra.ledger.database.engine import WRITES, engine_for, made, sqlite_path


def steps(connection, way):
    config = schema._config()
    config.attributes["connection"] = connection
    command.upgrade(config, way)


async def test_whoever_undoes_the_transaction_undoes_the_tables(bare_url):
    if (path := sqlite_path(bare_url)) is not None:
        made(path)
    engine = engine_for(bare_url, 1).execution_options(**{WRITES: True})
    async with engine.connect() as rows, rows.begin() as transaction:
        await rows.run_sync(steps, "head")
        await transaction.rollback()
    await engine.dispose()
    assert await schema.state(bare_url) is schema.SchemaState.EMPTY


async def test_a_ledger_before_the_last_step_is_older(bare_url, at_step):
    await at_step(bare_url, "0001")
    assert await schema.state(bare_url) is schema.SchemaState.OLDER
