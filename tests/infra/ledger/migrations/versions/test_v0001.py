"""The steps make exactly the tables that the code speaks of."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, inspect

from relay.infra.ledger.database.engine import engine_for, made, sqlite_path
from relay.infra.ledger.database.tables import METADATA


async def seen(url, look):
    engine = engine_for(url, 1)
    async with engine.connect() as rows:
        found = await rows.run_sync(look)
    await engine.dispose()
    return found


def differences(connection):
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


def condition(index):
    return [str(value) for name, value in index.get("dialect_options", {}).items() if name.endswith("_where")]


def facts(connection):
    """What Alembic's comparison does not look at: names, checks, conditions of indexes."""
    look = inspect(connection)
    told = {}
    for table in sorted(set(look.get_table_names()) - {"alembic_version"}):
        told[table] = {
            "key": look.get_pk_constraint(table),
            "checks": sorted((check["name"], check["sqltext"]) for check in look.get_check_constraints(table)),
            "uniques": sorted((each["name"], each["column_names"]) for each in look.get_unique_constraints(table)),
            "foreign": sorted((each["name"], each["referred_table"]) for each in look.get_foreign_keys(table)),
            "indexes": sorted(
                (each["name"], each["column_names"], bool(each["unique"]), condition(each))
                for each in look.get_indexes(table)
            ),
            "columns": [(each["name"], str(each["type"]), each["nullable"]) for each in look.get_columns(table)],
        }
    return told


async def test_alembic_finds_no_difference(url):
    assert await seen(url, differences) == []


async def test_a_table_too_many_would_be_found(url):
    other = MetaData()
    METADATA.tables["spent"].to_metadata(other)
    found = await seen(url, lambda rows: compare_metadata(MigrationContext.configure(rows), other))
    assert len(found) > 5


async def test_keys_checks_and_conditions_are_the_same_too(url, bare_url):
    if url.partition(":")[0] != bare_url.partition(":")[0]:
        return
    made_by_steps = await seen(url, facts)
    if bare_url.startswith("sqlite:"):
        made(sqlite_path(bare_url))
    engine = engine_for(bare_url, 1)
    async with engine.begin() as rows:
        await rows.run_sync(METADATA.create_all)
    await engine.dispose()
    assert made_by_steps == await seen(bare_url, facts)


async def test_revocations_begin_at_0(url, sql):
    assert sql(url, "SELECT one, number FROM revocation_head") == ["1|0"]
