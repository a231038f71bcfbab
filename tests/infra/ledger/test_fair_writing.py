"""SQLite has one writer: callers take turns at it."""

import asyncio

import pytest

from relay.domain.ledger import NotGranted
from relay.domain.queue_full import CALLER

FLOOD, OTHER = "ZOPA000001", "ZOPA000002"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_caller_that_writes_without_end_waits_for_itself(ledger, desk):
    done = []

    async def spend(caller):
        CALLER.set(caller)
        with pytest.raises(NotGranted):
            await ledger.spend_code(b"no code has this", desk.holder, desk.callback, desk.pair, desk.now)
        done.append(caller)

    await asyncio.gather(*[spend(FLOOD) for _ in range(50)], spend(OTHER))
    assert done.index(OTHER) <= 2
