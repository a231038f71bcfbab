"""The third step adds the rooms of the portal's partner, and tells of older consents when they ended."""

import pytest_asyncio

from relay.domain.registry import RegistryHead
from relay.infra.ledger import schema
from relay.infra.ledger.schema import SchemaState
from relay.infra.ledger.sql_ledger import open_ledger

KEPT = ("consents", "consent_scopes", "tokens", "revocations", "codes", "authorization_requests", "history", "spent")
ENDED = "SELECT consent_id, state, ended_at FROM consents WHERE ended_at IS NOT NULL ORDER BY ended_at"


@pytest_asyncio.fixture
async def before(bare_url, at_step, desk, sealer, columns_of_today):
    """A ledger of the second step, in use: consents in force, replaced, withdrawn and past their last day."""
    await at_step(bare_url, "0002")
    ledger = await open_ledger(bare_url, sealer, 2)
    async with columns_of_today(bare_url):
        replaced, _ = await desk.issued(ledger)
        newer = desk.consent()
        await ledger.issue_integrated(newer, desk.pair(newer), [], [], desk.now + 10)
        withdrawn, pair = await desk.issued(ledger, desk.consent(ci="ci-two"))
        await ledger.withdraw(pair.access.jti, desk.holder, desk.now + 20)
        ended, _ = await desk.issued(ledger, desk.consent(ci="ci-three", end=desk.last_day))
        await ledger.end_overdue(desk.now + 30)
        await desk.given(ledger, desk.consent(ci="ci-four"), desk.code())
    await ledger.close()
    ledger = await open_ledger(bare_url, sealer, 2)  # the next step gives the ledger its identity
    yield ledger, (replaced, withdrawn, ended), newer
    await ledger.close()


async def test_consents_that_are_over_know_when_they_ended(before, bare_url, sealer, sql, desk):
    ledger, over, newer = before
    counts = [sql(bare_url, f"SELECT count(*) FROM {table}") for table in KEPT]
    assert (await schema.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    states = zip(over, ("replaced", "revoked", "ended"), (10, 20, 30), strict=True)
    assert sql(bare_url, ENDED) == [f"{each.consent_id}|{state}|{desk.now + s}" for each, state, s in states]
    assert [sql(bare_url, f"SELECT count(*) FROM {table}") for table in KEPT] == counts
    assert await ledger.consents_in_force("ci-one") == [newer]
    await ledger.check()


async def test_a_consent_without_history_ended_when_it_was_given(before, bare_url, sealer, sql, desk):
    sql(bare_url, "DELETE FROM history RETURNING 1")
    await schema.upgrade(bare_url, sealer)
    assert [row.rpartition("|")[2] for row in sql(bare_url, ENDED)] == [f"{desk.now}"] * 3


async def test_the_new_rooms_are_empty_and_open(before, bare_url, sealer, desk):
    ledger, *_ = before
    await schema.upgrade(bare_url, sealer)
    assert await ledger.registry.registry_head() == RegistryHead(0, 0, 0)
    assert (await ledger.jobs.lead("here", 60, desk.now)).fence == 1
    assert (await ledger.statistics.first_day(), await ledger.jobs.jobs()) == ("", {})
