"""Engines are configured for durability and timeouts, and their errors contain no values."""

import asyncio
import shutil
import sqlite3
import stat

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from relay.domain.ledger import LedgerDown
from relay.infra.ledger import schema, upgrading
from relay.infra.ledger.database.engine import LedgerUrlError, build_engine, create_file, sqlite_path, translate_errors
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)]
)
async def test_every_sqlite_connection_has_its_pragmas(tmp_path, pragma, value):
    create_file(tmp_path / "a.db")
    engine = build_engine(f"sqlite:{tmp_path}/a.db", 2)
    async with engine.connect() as first, engine.connect() as second:
        pragmas = [await connection.exec_driver_sql(f"PRAGMA {pragma}") for connection in (first, second)]
        values = [result.scalar_one() for result in pragmas]
    await engine.dispose()
    assert values == [value, value]


@pytest.mark.parametrize("name", ["a b%20?.db", "원장.db", "#1&mode=memory.db"])
async def test_any_file_name_works_in_the_url(tmp_path, name):
    path = tmp_path / name
    create_file(path)
    engine = build_engine(f"sqlite:{path}", 1)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE here (a)")
    await engine.dispose()
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_a_sqlite_file_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "a.db"
    create_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"kept")
    create_file(path)
    assert path.read_bytes() == b"kept"


async def test_connecting_creates_no_file(tmp_path):
    engine = build_engine(f"sqlite:{tmp_path}/a.db", 1)
    with pytest.raises(LedgerDown, match="there is no ledger: "):
        async with translate_errors(), engine.connect():
            pass
    await engine.dispose()
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://host/db",
        "postgresql://user:Zq7marker@host",
        "postgresql+psycopg://user:Zq7marker@host/db",
        "postgresql://user:Zq7marker@host:port/db",
        "Zq7marker",
    ],
)
def test_a_wrong_url_is_refused_and_not_repeated(url):
    with pytest.raises(LedgerUrlError) as caught:
        build_engine(url, 1)
    assert "Zq7marker" not in str(caught.value) + repr(caught.value)


def test_a_sqlite_url_is_a_path(tmp_path):
    assert str(sqlite_path("sqlite:/var/ledger.db")) == "/var/ledger.db"
    assert sqlite_path("postgresql://host/db") is None


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_other_spellings_of_postgresql_are_accepted(name):
    assert build_engine(f"{name}://host/db", 1).dialect.driver == "asyncpg"


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"])
async def test_postgresql_has_timeouts(postgresql, setting):
    engine = build_engine(postgresql.database(), 1)
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql(f"SHOW {setting}")).scalar_one() in {"10s", "30s"}
    await engine.dispose()


@pytest.mark.parametrize("url", ["postgresql:///db?host=/nowhere", "postgresql://127.0.0.1:1/db"])
async def test_a_missing_server_is_unreachable(url):
    ledger = create_ledger(url, Sealer([CustomerKey("one", bytes(32))]), 1)
    with pytest.raises(LedgerDown):
        await ledger.get_revocation_head()
    with pytest.raises(LedgerDown):
        await ledger.check()
    await ledger.close()


async def test_a_missing_database_is_unreachable(postgresql):
    url = postgresql.database()
    ledger = create_ledger(url.replace("@/ledger", "@/nothing"), Sealer([CustomerKey("one", bytes(32))]), 1)
    with pytest.raises(LedgerDown):
        await ledger.get_revocation_head()
    await ledger.close()


async def test_a_connection_that_was_cut_is_replaced(postgresql):
    url = postgresql.database()
    engine = build_engine(url, 1)
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'relay'"
    assert postgresql.sql(url, cut) == "1\n"
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1
    await engine.dispose()


async def test_parameters_are_never_in_an_error_message(url):
    engine = build_engine(url, 1)
    with pytest.raises(IntegrityError) as caught:
        async with translate_errors(), engine.begin() as connection:
            await connection.execute(
                text("INSERT INTO revocation_head (one, number) VALUES (:one, 2)"), {"one": 774411}
            )
    await engine.dispose()
    assert "774411" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("text", "Zq7marker\ud800"), ("text", "Zq7marker\0"), ("bigint", 2**70), ("bigint", "Zq7marker")],
)
async def test_a_value_that_cannot_be_stored_raises_value_error(postgresql, kind, value):
    engine = build_engine(postgresql.database(), 1)
    with pytest.raises(ValueError, match="a value that the ledger cannot hold") as caught:
        async with translate_errors(), engine.begin() as connection:
            await connection.execute(text(f"SELECT CAST(:value AS {kind})"), {"value": value})
    await engine.dispose()
    assert caught.value.__suppress_context__


async def test_writers_of_two_processes_wait_for_each_other(url):
    """Two engines do not share a queue of writers."""
    engines = [build_engine(url, 1).execution_options(relay_writes=True) for _ in range(2)]

    async def count(engine):
        for _ in range(20):
            async with engine.begin() as connection:
                await connection.exec_driver_sql("UPDATE revocation_head SET number = number + 1")

    await asyncio.gather(*map(count, engines))
    async with engines[0].connect() as connection:
        assert (await connection.exec_driver_sql("SELECT number FROM revocation_head")).scalar_one() == 40
    for engine in engines:
        await engine.dispose()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda _: None, "there is no folder {}"),
        (lambda folder: folder.write_text("a file"), "no file can be created in {}: Not a directory"),
    ],
)
def test_an_error_creating_the_file_names_its_folder(tmp_path, prepare, message):
    folder = tmp_path / "nodir"
    prepare(folder)
    with pytest.raises(LedgerDown) as caught:
        create_file(folder / "ledger.db")
    assert str(caught.value) == message.format(folder)


async def test_an_impossible_file_name_is_unreachable(tmp_path):
    url = f"sqlite:{tmp_path}/{'a' * 300}"
    for call in (schema.read_state(url), upgrading.upgrade(url)):
        with pytest.raises(LedgerDown, match="File name too long"):
            await call
    assert list(tmp_path.iterdir()) == []


async def test_a_missing_privilege_is_reported_without_the_statement(postgresql):
    url = postgresql.database()
    await upgrading.upgrade(url)
    postgresql.sql(url, "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN")
    with pytest.raises(LedgerDown, match=r"^permission denied for table alembic_version$"):
        await schema.read_state(url.replace("relay@", "stranger@"))


async def test_an_abandoned_connection_releases_its_lock(sqlite_template, tmp_path):
    """The caller was cancelled between a statement and its rows; a traceback may still hold the cursor."""
    path = shutil.copy(sqlite_template, tmp_path / "ledger.db")
    engine = build_engine(f"sqlite:{path}", 1).execution_options(relay_writes=True)
    connection = await engine.connect().start()
    await connection.begin()
    driver = (await connection.get_raw_connection()).driver_connection
    cursor = await driver.execute("UPDATE revocation_head SET number = 7 RETURNING number")
    await connection.invalidate()
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    assert other.execute("UPDATE revocation_head SET number = number + 1 RETURNING number").fetchall() == [(1,)]
    other.close()
    del cursor
    await connection.close()
    await engine.dispose()
