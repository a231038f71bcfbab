"""SQLite has one writer: turns to write are shared among callers."""

import asyncio

import pytest

from relay.domain.ledger import LedgerRefused
from relay.domain.queue_full import CALLER

FLOOD, OTHER = "ZOPA000001", "ZOPA000002"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_flood_of_writes_delays_only_its_own_caller(ledger, factory):
    done = []

    async def spend(caller):
        CALLER.set(caller)
        with pytest.raises(LedgerRefused):
            await ledger.spend_code(
                b"no code has this", factory.holder, factory.callback, factory.build_pair, factory.now
            )
        done.append(caller)

    await asyncio.gather(*[spend(FLOOD) for _ in range(50)], spend(OTHER))
    assert done.index(OTHER) <= 2
