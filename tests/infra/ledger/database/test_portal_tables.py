"""Constraints of the registry, statistics and job tables refuse inconsistent rows."""

import pytest
from sqlalchemy.exc import IntegrityError

from relay.domain.registry import Organisation, OrgType, RegistryChanges
from relay.domain.statistics import Batch, Line, Sending, SendingState
from relay.infra.ledger.schema import begin_exclusive

NOW = 1_800_000_000
LINE = Line("20270115", "00", "ZBAA000001", "ZOPA000001", "svc1", "1", "BA01", "200_00000")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO leadership (one, holder, fence, until) VALUES (2, '', 0, 0)",
        "INSERT INTO registry_head SELECT 2, 0, '', '', 0",
        "INSERT INTO registry_held SELECT 2, '', 0, 0, '', ''",
        "UPDATE organisations SET number = 1",
        "INSERT INTO registry_past VALUES (1, 1, 'weather', 'one', 'sync', '')",
        "INSERT INTO registry_past VALUES (1, 1, 'service', 'one', 'chance', '')",
        "INSERT INTO registry_away VALUES ('weather', 'one', 1)",
        "UPDATE sendings SET state = 'lost'",
        "UPDATE statistics SET counted = 0",
        "UPDATE statistics SET api_code = NULL",
    ],
)
async def test_the_database_refuses_inconsistent_rows(ledger, url, statement):
    fence = (await ledger.jobs.lead("here", 60, NOW)).fence
    organisations = {name: Organisation(name, OrgType.OTHER, name) for name in ("one", "two")}
    await ledger.registry.apply(RegistryChanges(organisations, {}, "1", "1"), fence, NOW, judged=0)
    await ledger.statistics.take_batch(Batch("one", {LINE: 1}), NOW)
    await ledger.statistics.save_sending(Sending("20270117", "ZBAA000001", "1", SendingState.WAITING), fence, NOW)
    before = await ledger.registry.registry()
    with pytest.raises(IntegrityError):
        await run(url, statement)
    assert await ledger.registry.registry() == before


async def run(url, statement):
    async with begin_exclusive(url) as connection:
        await connection.exec_driver_sql(statement)
