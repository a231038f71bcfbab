"""Migration 0006 gives a ledger its identity."""

from relay.infra.ledger import upgrading
from relay.infra.ledger.schema import SchemaState


async def test_an_older_ledger_gets_an_id(bare_url, upgrade_to, sealer, sql):
    await upgrade_to(bare_url, "0005")
    assert (await upgrading.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    (row,) = sql(bare_url, "SELECT length(ledger_id), generation FROM ledger_identity")
    assert row == "32|1"
    kept = sql(bare_url, "SELECT ledger_id FROM ledger_identity")
    await upgrading.upgrade(bare_url, sealer)
    assert sql(bare_url, "SELECT ledger_id FROM ledger_identity") == kept
