"""Upgrades of a ledger's tables: once, one after the other, never of a newer ledger, all or nothing."""

import asyncio

import pytest

from relay.infra.ledger.database.engine import build_engine, sqlite_path
from relay.infra.ledger.schema import SchemaError, SchemaState, read_state
from relay.infra.ledger.upgrading import upgrade


async def execute(url, *statements):
    engine = build_engine(url, 1)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


async def test_an_empty_ledger_is_upgraded_once(bare_url):
    assert await read_state(bare_url) is SchemaState.EMPTY
    assert await upgrade(bare_url) == (SchemaState.EMPTY, ())
    assert await read_state(bare_url) is SchemaState.CURRENT
    assert await upgrade(bare_url) == (SchemaState.CURRENT, ())


async def test_concurrent_upgrades_wait_for_each_other(bare_url):
    results = await asyncio.gather(*[upgrade(bare_url) for _ in range(4)])
    assert sorted(result.before for result in results) == ["current", "current", "current", "empty"]


async def test_a_newer_ledger_is_not_changed(url):
    await execute(url, "UPDATE alembic_version SET version_num = '9999'")
    assert await read_state(url) is SchemaState.NEWER
    with pytest.raises(SchemaError, match="install the newer relay"):
        await upgrade(url)
    assert await read_state(url) is SchemaState.NEWER


async def test_a_failed_upgrade_is_rolled_back(bare_url):
    """The tables are created in one transaction; here one of them exists already."""
    if (path := sqlite_path(bare_url)) is not None:
        path.touch()
    await execute(bare_url, "CREATE TABLE spent (a INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        await upgrade(bare_url)
    assert await read_state(bare_url) is SchemaState.EMPTY
    await execute(bare_url, "DROP TABLE spent")
    assert await upgrade(bare_url) == (SchemaState.EMPTY, ())
    assert await read_state(bare_url) is SchemaState.CURRENT
