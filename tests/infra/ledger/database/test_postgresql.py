"""PostgreSQL with libpq's parameters, behind PgBouncer, and after a failover."""

import asyncio

import pytest
import pytest_asyncio
from harness.pgbouncer import PgBouncer
from harness.postgresql import PostgreSql

from relay.domain.ledger import LedgerDown, WrongLedger
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.postgresql import LedgerUrlError, parse_url, postgresql_engine
from relay.infra.ledger.sql_ledger import create_ledger


@pytest.mark.parametrize(
    ("url", "dsn", "parameters"),
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
def test_libpq_parameters_are_parsed(url, dsn, parameters):
    assert parse_url(url) == (dsn, parameters)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("keepalives=1", "holds keepalives, which is not known: application_name connect_timeout dbname"),
        ("options=-csearch_path%3DZq7marker", "holds options, which is not known"),
        ("Zq7%20marker=1", "holds a parameter, which is not known"),
        ("sslmode=Zq7marker", "sslmode in the ledger's URL is not one of disable, allow, prefer"),
        ("target_session_attrs=Zq7marker", "is not one of primary, read-write, any"),
        ("pgbouncer=Zq7marker", "is not one of true, false"),
        ("connect_timeout=Zq7marker", "connect_timeout in the ledger's URL is not a number"),
        ("port=Zq7marker", "has a port that is not a number"),
        ("Zq7marker", "cannot be read"),
    ],
)
def test_unknown_parameters_are_refused_without_their_values(query, problem):
    with pytest.raises(LedgerUrlError) as caught:
        parse_url(f"postgresql://host/db?{query}")
    assert problem in str(caught.value)
    assert "marker" not in str(caught.value)


def test_repr_of_an_engine_hides_the_password():
    engine = postgresql_engine("postgresql://relay:Zq7marker@host/db?sslrootcert=/Zq7marker", 1)
    assert "Zq7marker" not in repr(engine) + str(engine.url)


@pytest.fixture
def server():
    """A server for one test."""
    server = PostgreSql()
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def url(server):
    url = server.database()
    await upgrading.upgrade(url)
    return url


@pytest.fixture
def shared_url(postgresql, postgresql_template):
    """The URL of a fresh ledger on the shared server."""
    return postgresql.database(postgresql_template)


async def poll_until_error(ledger):
    """Polls until the server's signal reaches the session and the changed setting takes effect."""
    while True:
        await ledger.get_revocation_head()


async def revoke(ledger, factory):
    consent, pair = await factory.issue(ledger, factory.build_consent(ci=factory.new_id("ci")))
    assert await ledger.withdraw(pair.access.jti, factory.holder, factory.now)
    return consent


async def test_a_read_only_server_is_unreachable(server, url, sealer, factory):
    ledger = create_ledger(url, sealer, 3)
    await revoke(ledger, factory)
    server.sql(url, "ALTER SYSTEM SET default_transaction_read_only = on")
    server.sql(url, "SELECT pg_reload_conf()")
    with pytest.raises(LedgerDown):
        await poll_until_error(ledger)
    with pytest.raises(LedgerDown):
        await revoke(ledger, factory)
    await ledger.close()


async def test_a_primary_restarted_as_standby_is_replaced_by_the_next(server, url, sealer, factory):
    """With two hosts in the URL the second takes over when the first is a standby, without manual disconnects."""
    other = PostgreSql()
    other.follow(server)
    try:
        ledger = create_ledger(f"{url},{other.folder}&port=5432,5432", sealer, 3)
        await asyncio.gather(*(revoke(ledger, factory) for _ in range(3)))
        server.demote()
        with pytest.raises(LedgerDown):
            await ledger.get_revocation_head()
        other.promote()
        await revoke(ledger, factory)
        assert await ledger.get_revocation_head() == 4
        await ledger.close()
    finally:
        other.stop()


async def test_a_standby_that_follows_no_primary_is_refused(server, url, sealer):
    ledger = create_ledger(f"{url}&target_session_attrs=any", sealer, 2)
    server.demote()
    with pytest.raises(WrongLedger, match="standby that follows no primary"):
        await ledger.get_revocation_head()
    server.promote()
    assert await ledger.get_revocation_head() == 0
    await ledger.close()


async def test_a_following_standby_is_read_if_the_url_allows_it(server, url, sealer, factory):
    other = PostgreSql()
    other.follow(server)
    try:
        ledger = create_ledger(url.replace(str(server.folder), str(other.folder)), sealer, 2)
        with pytest.raises(LedgerDown):
            await ledger.get_revocation_head()
        await ledger.close()
        any_url = f"{url.replace(str(server.folder), str(other.folder))}&target_session_attrs=any"
        ledger = create_ledger(any_url, sealer, 2)
        assert await ledger.get_revocation_head() == 0
        with pytest.raises(WrongLedger, match="standby that takes no writes"):
            await factory.issue(ledger)
        await ledger.close()
    finally:
        other.stop()


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_a_ledger_works_through_pgbouncer(postgresql, shared_url, mode, sealer, factory):
    bouncer = PgBouncer(postgresql, mode)
    try:
        ledgers = [create_ledger(bouncer.url(shared_url, "&pgbouncer=true"), sealer, 1) for _ in range(2)]
        for _ in range(10):
            await asyncio.gather(*(revoke(ledger, factory) for ledger in ledgers))
        assert await ledgers[0].get_revocation_head() == 20
        for ledger in ledgers:
            await ledger.close()
    finally:
        bouncer.stop()


async def test_many_share_few_connections_through_pgbouncer(postgresql, shared_url, sealer, factory):
    bouncer = PgBouncer(postgresql, "transaction")
    try:
        ledger = create_ledger(bouncer.url(shared_url, "&pgbouncer=true"), sealer, 8)
        await asyncio.gather(*(revoke(ledger, factory) for _ in range(40)))
        assert await ledger.get_revocation_head() == 40
        await ledger.close()
    finally:
        bouncer.stop()


async def test_pgbouncer_without_its_parameter_is_reported(postgresql, shared_url, sealer):
    bouncer = PgBouncer(postgresql, "session")
    try:
        ledger = create_ledger(bouncer.url(shared_url), sealer, 1)
        with pytest.raises(LedgerDown, match="unsupported startup parameter"):
            await ledger.get_revocation_head()
        await ledger.close()
    finally:
        bouncer.stop()
