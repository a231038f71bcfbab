"""Migration 0007 adds the digests of scheduled transfers."""

from relay.infra.ledger import upgrading
from relay.infra.ledger.schema import SchemaState
from relay.infra.ledger.sql_ledger import create_ledger


async def test_an_older_ledger_takes_digests_from_the_first_number(bare_url, upgrade_to, sealer):
    await upgrade_to(bare_url, "0006")
    assert (await upgrading.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    ledger = create_ledger(bare_url, sealer, 2)
    await ledger.transfers.add(7, [b"1" * 16], 1)
    assert await ledger.transfers.list_after(0, 7) == (1, [(7, b"1" * 16)])
    await ledger.close()
