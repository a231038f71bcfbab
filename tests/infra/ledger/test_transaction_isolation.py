"""Transactions see one state of the ledger, and only the current leader writes."""

import pytest
import pytest_asyncio
from sqlalchemy import text

from relay.domain.jobs import Superseded
from relay.infra.ledger.database.engine import build_engine, sqlite_path
from relay.infra.ledger.transaction import Transactions


@pytest_asyncio.fixture
async def transactions(url, sealer):
    """Transactions on the ledger, next to those of the fixture `ledger`."""
    opened = Transactions(build_engine(url, 2), sealer, sqlite_path(url))
    yield opened
    await opened.engine.dispose()


async def test_a_snapshot_sees_one_moment_despite_later_writes(transactions, ledger, factory):
    count = text("SELECT count(*) FROM consents")
    await factory.issue(ledger)
    async with transactions.snapshot() as connection:
        assert (await connection.execute(count)).scalar_one() == 1
        await factory.issue(ledger, factory.build_consent(ci="ci-two"))
        assert (await connection.execute(count)).scalar_one() == 1
    async with transactions.snapshot() as connection:
        assert (await connection.execute(count)).scalar_one() == 2


async def test_a_superseded_leader_rolls_back(transactions, ledger, factory, sql, url):
    fence = (await ledger.jobs.lead("here", 60, factory.now)).fence
    with pytest.raises(Superseded):
        async with transactions.begin(factory.now, fence=fence - 1) as transaction:
            await transaction.connection.execute(text("UPDATE revocation_head SET number = 7"))
    assert sql(url, "SELECT number FROM revocation_head") == ["0"]
