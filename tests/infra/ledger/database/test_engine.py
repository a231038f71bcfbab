"""The databases keep what they are asked to keep, and do not tell what they hold."""

import asyncio
import shutil
import sqlite3
import stat

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from relay.domain.ledger import Unreachable
from relay.infra.ledger import schema
from relay.infra.ledger.database.engine import LedgerUrlWrong, answering, engine_for, made, sqlite_path
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import open_ledger


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)]
)
async def test_every_sqlite_connection_keeps_its_promises(tmp_path, pragma, value):
    made(tmp_path / "a.db")
    engine = engine_for(f"sqlite:{tmp_path}/a.db", 2)
    async with engine.connect() as one, engine.connect() as two:
        found = [(await rows.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() for rows in (one, two)]
    await engine.dispose()
    assert found == [value, value]


@pytest.mark.parametrize("name", ["a b%20?.db", "원장.db", "#1&mode=memory.db"])
async def test_any_name_of_a_file_is_that_file(tmp_path, name):
    path = tmp_path / name
    made(path)
    engine = engine_for(f"sqlite:{path}", 1)
    async with engine.begin() as rows:
        await rows.exec_driver_sql("CREATE TABLE here (a)")
    await engine.dispose()
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_only_its_owner_reads_a_sqlite_file(tmp_path):
    path = tmp_path / "a.db"
    made(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"kept")
    made(path)
    assert path.read_bytes() == b"kept"


async def test_looking_makes_no_file(tmp_path):
    engine = engine_for(f"sqlite:{tmp_path}/a.db", 1)
    with pytest.raises(Unreachable, match="there is no ledger: "):
        async with answering(), engine.connect():
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
def test_a_url_that_leads_nowhere_is_refused_and_not_repeated(url):
    with pytest.raises(LedgerUrlWrong) as caught:
        engine_for(url, 1)
    assert "Zq7marker" not in str(caught.value) + repr(caught.value)


def test_a_sqlite_url_is_a_path(tmp_path):
    assert str(sqlite_path("sqlite:/var/ledger.db")) == "/var/ledger.db"
    assert sqlite_path("postgresql://host/db") is None


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_other_tools_names_of_postgresql_are_understood(name):
    assert engine_for(f"{name}://host/db", 1).dialect.driver == "asyncpg"


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"])
async def test_nothing_waits_forever_on_postgresql(postgresql, setting):
    engine = engine_for(postgresql.database(), 1)
    async with engine.connect() as rows:
        assert (await rows.exec_driver_sql(f"SHOW {setting}")).scalar_one() in {"10s", "30s"}
    await engine.dispose()


@pytest.mark.parametrize("url", ["postgresql:///db?host=/nowhere", "postgresql://127.0.0.1:1/db"])
async def test_a_server_that_is_not_there_is_unreachable(url):
    ledger = await open_ledger(url, Sealer([CustomerKey("one", bytes(32))]), 1)
    with pytest.raises(Unreachable):
        await ledger.revocation_head()
    with pytest.raises(Unreachable):
        await ledger.check()
    await ledger.close()


async def test_a_database_that_is_not_there_is_unreachable(postgresql):
    there = postgresql.database()
    ledger = await open_ledger(there.replace("@/ledger", "@/nothing"), Sealer([CustomerKey("one", bytes(32))]), 1)
    with pytest.raises(Unreachable):
        await ledger.revocation_head()
    await ledger.close()


async def test_a_connection_that_was_cut_is_replaced(postgresql):
    url = postgresql.database()
    engine = engine_for(url, 1)
    async with engine.connect() as rows:
        await rows.exec_driver_sql("SELECT 1")
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'relay'"
    assert postgresql.sql(url, cut) == "1\n"
    async with engine.connect() as rows:
        assert (await rows.exec_driver_sql("SELECT 1")).scalar_one() == 1
    await engine.dispose()


async def test_what_was_asked_with_is_never_told(url):
    engine = engine_for(url, 1)
    with pytest.raises(IntegrityError) as caught:
        async with answering(), engine.begin() as rows:
            await rows.execute(text("INSERT INTO revocation_head (one, number) VALUES (:one, 2)"), {"one": 774411})
    await engine.dispose()
    assert "774411" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("text", "Zq7marker\ud800"), ("text", "Zq7marker\0"), ("bigint", 2**70), ("bigint", "Zq7marker")],
)
async def test_a_value_that_cannot_be_held_is_no_database_that_is_away(postgresql, kind, value):
    engine = engine_for(postgresql.database(), 1)
    with pytest.raises(ValueError, match="a value that the ledger cannot hold") as caught:
        async with answering(), engine.begin() as rows:
            await rows.execute(text(f"SELECT CAST(:value AS {kind})"), {"value": value})
    await engine.dispose()
    assert caught.value.__suppress_context__


async def test_writers_of_two_processes_wait_for_each_other(url):
    """Two engines know nothing of each other's turns."""
    engines = [engine_for(url, 1).execution_options(relay_writes=True) for _ in range(2)]

    async def count(engine):
        for _ in range(20):
            async with engine.begin() as rows:
                await rows.exec_driver_sql("UPDATE revocation_head SET number = number + 1")

    await asyncio.gather(*map(count, engines))
    async with engines[0].connect() as rows:
        assert (await rows.exec_driver_sql("SELECT number FROM revocation_head")).scalar_one() == 40
    for engine in engines:
        await engine.dispose()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: None, "there is no folder {}"),
        (lambda folder: folder.write_text("a file"), "no file can be made in {}: Not a directory"),
    ],
)
def test_a_file_that_cannot_be_made_names_its_folder(tmp_path, make, words):
    folder = tmp_path / "nodir"
    make(folder)
    with pytest.raises(Unreachable) as caught:
        made(folder / "ledger.db")
    assert str(caught.value) == words.format(folder)


async def test_a_name_that_no_file_can_have_is_unreachable(tmp_path):
    url = f"sqlite:{tmp_path}/{'a' * 300}"
    for asked in (schema.state(url), schema.upgrade(url)):
        with pytest.raises(Unreachable, match="File name too long"):
            await asked
    assert list(tmp_path.iterdir()) == []


async def test_a_right_that_is_not_granted_is_said_without_the_statement(postgresql):
    url = postgresql.database()
    await schema.upgrade(url)
    postgresql.sql(url, "DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN")
    with pytest.raises(Unreachable, match=r"^permission denied for table alembic_version$"):
        await schema.state(url.replace("relay@", "stranger@"))


async def test_a_connection_given_up_locks_nobody_out(sqlite_template, tmp_path):
    """Who asks was cancelled between a statement and its rows; a traceback perhaps holds the cursor."""
    path = shutil.copy(sqlite_template, tmp_path / "ledger.db")
    engine = engine_for(f"sqlite:{path}", 1).execution_options(relay_writes=True)
    rows = await engine.connect().start()
    await rows.begin()
    driver = (await rows.get_raw_connection()).driver_connection
    held = await driver.execute("UPDATE revocation_head SET number = 7 RETURNING number")
    await rows.invalidate()
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    assert other.execute("UPDATE revocation_head SET number = number + 1 RETURNING number").fetchall() == [(1,)]
    other.close()
    del held
    await rows.close()
    await engine.dispose()
