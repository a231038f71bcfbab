"""Fixtures: a ledger in memory that fails on request."""

import asyncio
from collections import Counter, deque

import pytest

from relay.domain.ledger import LedgerDown


class FakeLedger:
    """Takes each batch once. `failures` apply to the next offers, `failure` to all others.

    A failure is "refuses", "takes silently" or "hangs".
    """

    def __init__(self):
        self.batches, self.offered = {}, []
        self.failures, self.failure = deque(), ""
        self.changed = asyncio.Condition()

    async def take(self, batch, _now):
        self.offered.append(batch.batch_id)
        failure = self.failures.popleft() if self.failures else self.failure
        async with self.changed:
            if failure in {"", "takes silently"}:
                self.batches.setdefault(batch.batch_id, batch)
            self.changed.notify_all()
        if failure == "hangs":
            await asyncio.Event().wait()
        if failure:
            raise LedgerDown("away")
        return True

    @property
    def counts(self):
        """The sum of all batches."""
        return sum((Counter(batch.counts) for batch in self.batches.values()), Counter())

    async def until(self, reached):
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(reached)


@pytest.fixture(scope="session")
def make_ledger():
    """Returns a function that makes ledgers."""
    return FakeLedger


@pytest.fixture
def ledger():
    return FakeLedger()
