"""Migration 0003 adds the tables for the portal and fills the end times of older consents."""

import pytest_asyncio

from relay.domain.registry import RegistryHead
from relay.infra.ledger import upgrading
from relay.infra.ledger.schema import SchemaState
from relay.infra.ledger.sql_ledger import create_ledger

KEPT = ("consents", "consent_scopes", "tokens", "revocations", "codes", "authorization_requests", "history", "spent")
ENDED = "SELECT consent_id, state, ended_at FROM consents WHERE ended_at IS NOT NULL ORDER BY ended_at"


@pytest_asyncio.fixture
async def before(bare_url, upgrade_to, factory, sealer, current_columns):
    """A ledger of migration 0002 with consents in force, replaced, withdrawn and past their last day."""
    await upgrade_to(bare_url, "0002")
    ledger = create_ledger(bare_url, sealer, 2)
    async with current_columns(bare_url):
        replaced, _ = await factory.issue(ledger)
        newer = factory.build_consent()
        await ledger.issue_integrated(newer, factory.build_pair(newer), [], [], factory.now + 10)
        withdrawn, pair = await factory.issue(ledger, factory.build_consent(ci="ci-two"))
        await ledger.withdraw(pair.access.jti, factory.holder, factory.now + 20)
        ended, _ = await factory.issue(ledger, factory.build_consent(ci="ci-three", end=factory.last_day))
        await ledger.end_expired_consents(factory.now + 30)
        await factory.give_consent(ledger, factory.build_consent(ci="ci-four"), factory.build_code())
    await ledger.close()
    ledger = create_ledger(bare_url, sealer, 2)  # a later migration gives the ledger its identity
    yield ledger, (replaced, withdrawn, ended), newer
    await ledger.close()


async def test_ended_consents_get_their_end_time(before, bare_url, sealer, sql, factory):
    ledger, over, newer = before
    counts = [sql(bare_url, f"SELECT count(*) FROM {table}") for table in KEPT]
    assert (await upgrading.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    states = zip(over, ("replaced", "revoked", "ended"), (10, 20, 30), strict=True)
    assert sql(bare_url, ENDED) == [
        f"{consent.consent_id}|{state}|{factory.now + seconds}" for consent, state, seconds in states
    ]
    assert [sql(bare_url, f"SELECT count(*) FROM {table}") for table in KEPT] == counts
    assert await ledger.list_consents_in_force("ci-one") == [newer]
    await ledger.check()


async def test_a_consent_without_history_ended_when_it_was_given(before, bare_url, sealer, sql, factory):
    sql(bare_url, "DELETE FROM history RETURNING 1")
    await upgrading.upgrade(bare_url, sealer)
    assert [row.rpartition("|")[2] for row in sql(bare_url, ENDED)] == [f"{factory.now}"] * 3


async def test_the_new_tables_are_empty_and_usable(before, bare_url, sealer, factory):
    ledger, *_ = before
    await upgrading.upgrade(bare_url, sealer)
    assert await ledger.registry.registry_head() == RegistryHead(0, 0, 0)
    assert (await ledger.jobs.lead("here", 60, factory.now)).fence == 1
    assert (await ledger.statistics.first_day(), await ledger.jobs.load_states()) == ("", {})
