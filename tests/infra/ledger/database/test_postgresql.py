"""PostgreSQL by libpq's words, behind PgBouncer, and after its primary became something else."""

import asyncio

import pytest
import pytest_asyncio
from rig.pgbouncer import PgBouncer
from rig.postgresql import PostgreSql

from relay.domain.ledger import Unreachable, WrongLedger
from relay.infra.ledger import schema
from relay.infra.ledger.database.postgresql import LedgerUrlWrong, parse_url, postgresql_engine
from relay.infra.ledger.sql_ledger import open_ledger


@pytest.mark.parametrize(
    ("url", "dsn", "words"),
    [
        ("postgresql://host/db", "postgresql://host/db", {}),
        ("postgres://relay:p%40ss@host:5433/db", "postgresql://relay:p%40ss@host:5433/db", {}),
        ("postgresql+asyncpg://host/db?ssl=require", "postgresql://host/db", {"sslmode": "require"}),
        ("postgresql://a:5432,b:5433/db", "postgresql://a:5432,b:5433/db", {}),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db", {}),
        ("postgresql:///db?host=/a&host=/b&port=1,2", "postgresql:///db", {"host": "/a,/b", "port": "1,2"}),
        ("postgresql://me@host/db?host=/run", "postgresql://me@/db", {"host": "/run"}),
        (
            "postgresql://h/db?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3&target_session_attrs=any",
            "postgresql://h/db",
            {"sslmode": "verify-full", "sslrootcert": "/ca.pem", "connect_timeout": "3", "target_session_attrs": "any"},
        ),
    ],
)
def test_words_of_libpq_are_understood(url, dsn, words):
    assert parse_url(url) == (dsn, words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("keepalives=1", "holds keepalives, which is not known: application_name connect_timeout dbname"),
        ("options=-csearch_path%3DZq7marker", "holds options, which is not known"),
        ("Zq7%20marker=1", "holds a word, which is not known"),
        ("sslmode=Zq7marker", "sslmode in the ledger's URL is not one of disable, allow, prefer"),
        ("target_session_attrs=Zq7marker", "is not one of primary, read-write, any"),
        ("pgbouncer=Zq7marker", "is not one of true, false"),
        ("connect_timeout=Zq7marker", "connect_timeout in the ledger's URL is no number"),
        ("port=Zq7marker", "has a port that is no number"),
        ("Zq7marker", "cannot be read"),
    ],
)
def test_other_words_are_refused_and_values_not_repeated(words, problem):
    with pytest.raises(LedgerUrlWrong) as caught:
        parse_url(f"postgresql://host/db?{words}")
    assert problem in str(caught.value)
    assert "marker" not in str(caught.value)


def test_an_engine_holds_no_password_that_a_log_could_show():
    engine = postgresql_engine("postgresql://relay:Zq7marker@host/db?sslrootcert=/Zq7marker", 1)
    assert "Zq7marker" not in repr(engine) + str(engine.url)


@pytest.fixture
def server():
    """A server of this test's own."""
    made = PostgreSql()
    made.start()
    yield made
    made.stop()


@pytest_asyncio.fixture
async def url(server):
    url = server.database()
    await schema.upgrade(url)
    return url


@pytest.fixture
def shared_url(postgresql, postgresql_template):
    """A fresh ledger on the server that all tests share."""
    return postgresql.database(postgresql_template)


async def ask_for_ever(ledger):
    """Until it raises: a session takes a changed setting when the server's signal reaches it."""
    while True:
        await ledger.revocation_head()


async def revoke(ledger, desk):
    consent, pair = await desk.issued(ledger, desk.consent(ci=desk.id("ci")))
    assert await ledger.withdraw(pair.access.jti, desk.holder, desk.now)
    return consent


async def test_a_server_made_read_only_is_believed_no_more(server, url, sealer, desk):
    ledger = await open_ledger(url, sealer, 3)
    await revoke(ledger, desk)
    server.sql(url, "ALTER SYSTEM SET default_transaction_read_only = on")
    server.sql(url, "SELECT pg_reload_conf()")
    with pytest.raises(Unreachable):
        await ask_for_ever(ledger)
    with pytest.raises(Unreachable):
        await revoke(ledger, desk)
    await ledger.close()


async def test_a_primary_restarted_as_standby_is_left_for_the_next(server, url, sealer, desk):
    """Two hosts in the URL: when the first is a standby, the second serves, and nobody cuts anything by hand."""
    other = PostgreSql()
    other.follow(server)
    try:
        ledger = await open_ledger(f"{url},{other.folder}&port=5432,5432", sealer, 3)
        await asyncio.gather(*(revoke(ledger, desk) for _ in range(3)))
        server.demote()
        with pytest.raises(Unreachable):
            await ledger.revocation_head()
        other.promote()
        await revoke(ledger, desk)
        assert await ledger.revocation_head() == 4
        await ledger.close()
    finally:
        other.stop()


async def test_a_standby_that_follows_no_primary_is_not_believed(server, url, sealer):
    ledger = await open_ledger(f"{url}&target_session_attrs=any", sealer, 2)
    server.demote()
    with pytest.raises(WrongLedger, match="standby that follows no primary"):
        await ledger.revocation_head()
    server.promote()
    assert await ledger.revocation_head() == 0
    await ledger.close()


async def test_a_standby_that_follows_is_read_where_the_url_allows_it(server, url, sealer, desk):
    other = PostgreSql()
    other.follow(server)
    try:
        ledger = await open_ledger(url.replace(str(server.folder), str(other.folder)), sealer, 2)
        with pytest.raises(Unreachable):
            await ledger.revocation_head()
        await ledger.close()
        any_url = f"{url.replace(str(server.folder), str(other.folder))}&target_session_attrs=any"
        ledger = await open_ledger(any_url, sealer, 2)
        assert await ledger.revocation_head() == 0
        with pytest.raises(WrongLedger, match="standby that takes no writes"):
            await desk.issued(ledger)
        await ledger.close()
    finally:
        other.stop()


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_pgbouncer_carries_a_ledger(postgresql, shared_url, mode, sealer, desk):
    bouncer = PgBouncer(postgresql, mode)
    try:
        ledgers = [await open_ledger(bouncer.url(shared_url, "&pgbouncer=true"), sealer, 1) for _ in range(2)]
        for _ in range(10):
            await asyncio.gather(*(revoke(ledger, desk) for ledger in ledgers))
        assert await ledgers[0].revocation_head() == 20
        for ledger in ledgers:
            await ledger.close()
    finally:
        bouncer.stop()


async def test_many_share_few_connections_through_pgbouncer(postgresql, shared_url, sealer, desk):
    bouncer = PgBouncer(postgresql, "transaction")
    try:
        ledger = await open_ledger(bouncer.url(shared_url, "&pgbouncer=true"), sealer, 8)
        await asyncio.gather(*(revoke(ledger, desk) for _ in range(40)))
        assert await ledger.revocation_head() == 40
        await ledger.close()
    finally:
        bouncer.stop()


async def test_pgbouncer_without_its_word_is_told_by_its_refusal(postgresql, shared_url, sealer):
    bouncer = PgBouncer(postgresql, "session")
    try:
        ledger = await open_ledger(bouncer.url(shared_url), sealer, 1)
        with pytest.raises(Unreachable, match="unsupported startup parameter"):
            await ledger.revocation_head()
        await ledger.close()
    finally:
        bouncer.stop()
