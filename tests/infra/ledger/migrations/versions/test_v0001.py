"""The migrations create exactly the tables of the code."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, inspect

from relay.infra.ledger.database.engine import build_engine, create_file, sqlite_path
from relay.infra.ledger.database.tables import METADATA


async def run_on(url, function):
    engine = build_engine(url, 1)
    async with engine.connect() as connection:
        result = await connection.run_sync(function)
    await engine.dispose()
    return result


def compare_tables(connection):
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


def index_conditions(index):
    return [str(value) for name, value in index.get("dialect_options", {}).items() if name.endswith("_where")]


def describe_tables(connection):
    """Returns what Alembic does not compare: names, checks, conditions of indexes."""
    inspector = inspect(connection)
    tables = {}
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        tables[table] = {
            "key": inspector.get_pk_constraint(table),
            "checks": sorted((check["name"], check["sqltext"]) for check in inspector.get_check_constraints(table)),
            "uniques": sorted((key["name"], key["column_names"]) for key in inspector.get_unique_constraints(table)),
            "foreign": sorted((key["name"], key["referred_table"]) for key in inspector.get_foreign_keys(table)),
            "indexes": sorted(
                (index["name"], index["column_names"], bool(index["unique"]), index_conditions(index))
                for index in inspector.get_indexes(table)
            ),
            "columns": [
                (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            ],
        }
    return tables


async def test_alembic_finds_no_difference(url):
    assert await run_on(url, compare_tables) == []


async def test_a_missing_table_would_be_found(url):
    other = MetaData()
    METADATA.tables["spent"].to_metadata(other)

    def compare_with_other(connection):
        return compare_metadata(MigrationContext.configure(connection), other)

    assert len(await run_on(url, compare_with_other)) > 5


async def test_keys_checks_and_conditions_are_the_same(url, bare_url):
    if url.partition(":")[0] != bare_url.partition(":")[0]:
        return
    migrated = await run_on(url, describe_tables)
    if bare_url.startswith("sqlite:"):
        create_file(sqlite_path(bare_url))
    engine = build_engine(bare_url, 1)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await engine.dispose()
    assert migrated == await run_on(bare_url, describe_tables)


async def test_revocations_begin_at_0(url, sql):
    assert sql(url, "SELECT one, number FROM revocation_head") == ["1|0"]
