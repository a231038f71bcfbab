"""A ledger has the tables this relay knows, or says what to do."""

import asyncio

import pytest

from relay.infra.ledger.database.engine import engine_for, sqlite_path
from relay.infra.ledger.schema import SchemaProblem, SchemaState, expect_current, state, told, upgrade


async def change(url, *statements):
    engine = engine_for(url, 1)
    async with engine.begin() as rows:
        for statement in statements:
            await rows.exec_driver_sql(statement)
    await engine.dispose()


async def test_an_empty_ledger_gets_its_tables_once(bare_url):
    assert await state(bare_url) is SchemaState.EMPTY
    assert await upgrade(bare_url) == (SchemaState.EMPTY, ())
    assert await state(bare_url) is SchemaState.CURRENT
    assert await upgrade(bare_url) == (SchemaState.CURRENT, ())


async def test_asking_makes_nothing(bare_url):
    await state(bare_url)
    path = sqlite_path(bare_url)
    assert path is None or not path.exists()


async def test_upgrades_at_once_wait_for_each_other(bare_url):
    done = await asyncio.gather(*[upgrade(bare_url) for _ in range(4)])
    assert sorted(upgraded.before for upgraded in done) == ["current", "current", "current", "empty"]


async def test_a_newer_ledger_is_left_alone(url):
    await change(url, "UPDATE alembic_version SET version_num = '9999'")
    assert await state(url) is SchemaState.NEWER
    with pytest.raises(SchemaProblem, match="install the newer relay"):
        await upgrade(url)
    assert await state(url) is SchemaState.NEWER


async def test_an_upgrade_that_breaks_leaves_nothing_behind(bare_url):
    """The tables are made in one transaction: here one of them is in the way."""
    if (path := sqlite_path(bare_url)) is not None:
        path.touch()
    await change(bare_url, "CREATE TABLE spent (a INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        await upgrade(bare_url)
    assert await state(bare_url) is SchemaState.EMPTY
    await change(bare_url, "DROP TABLE spent")
    assert await upgrade(bare_url) == (SchemaState.EMPTY, ())
    assert await state(bare_url) is SchemaState.CURRENT


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (SchemaState.EMPTY, "run `relay migrate -c relay.yaml`"),
        (SchemaState.OLDER, "run `relay migrate -c relay.yaml`"),
        (SchemaState.NEWER, "install the newer relay"),
    ],
)
def test_whatever_is_not_current_says_what_to_do(found, words):
    with pytest.raises(SchemaProblem) as caught:
        expect_current(found)
    assert words in str(caught.value) == told(found)
    assert caught.value.state is found


def test_the_current_one_is_fine():
    expect_current(SchemaState.CURRENT)
