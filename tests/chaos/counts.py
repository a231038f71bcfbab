"""Compares what callers saw with statistics of the ledger and with access records."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fixtures.ledger_writer import LedgerWriter

from chaos.load import Call
from chaos.relay_process import RelayProcess
from chaos.row import Row
from relay.domain.korea import day_in_korea

SETTLED_S = 25.0
"""Time in which the ledger must have all calls once everything is well again."""


class Counted(Protocol):
    """An environment: its folder with access records, its ledger, the calls of its callers, its relays."""

    folder: Path
    calls: list[Call]
    relays: list[RelayProcess]

    def open_writer(self) -> LedgerWriter:
        """Opens the ledger; for a `with` block."""


@dataclass(frozen=True)
class Totals:
    """Answered calls of callers, calls without a response that may have been served, and what the relay counted."""

    succeeded: int
    unknown: int
    counted: int
    recorded: Counter

    def count_lost(self, tran_ids: set[str], *, has_records: bool) -> int:
        """Returns the successful calls that are not in the statistics, or have no access record."""
        missing = len(tran_ids - self.recorded.keys()) if has_records else 0
        return max(self.succeeded - self.counted, missing, 0)

    @property
    def doubled(self) -> int:
        """Calls that are in the statistics or in the access records twice."""
        repeated = sum(number - 1 for number in self.recorded.values())
        return max(self.counted - self.succeeded - self.unknown, repeated, 0)


def read_records(environment: Counted) -> Counter:
    """Returns how often each successful call is in the access records of all relays."""
    records: Counter = Counter()
    for file in environment.folder.glob("**/*access*"):  # of the sandbox: access.log
        for line in file.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            if record["status"] == 200:
                records[record["tran_id"]] += 1
    return records


def count_statistics(environment: Counted) -> int:
    """Returns the successful calls of today and yesterday in the ledger."""
    now = time.time()
    with environment.open_writer() as writer:
        days = (day_in_korea(now - 86_400), day_in_korea(now))
        counts = writer.run(writer.ledger.statistics.counts(*days))
    return sum(number for line, number in counts if line.success)


async def compare_counts(
    row: Row, environment: Counted, *, has_records: bool = True, elsewhere: int = 0, settled_s: float = SETTLED_S
) -> None:
    """Waits until the relay has counted all calls of callers, and writes lost and doubled ones into the row.

    `elsewhere` are successful calls of other callers.
    """
    tran_ids = {call.tran_id for call in environment.calls if call.is_success}
    unknown = sum(call.was_sent and not call.status for call in environment.calls)
    ends = time.monotonic() + settled_s
    is_settled = False
    while True:
        counted = await asyncio.to_thread(count_statistics, environment)
        totals = Totals(len(tran_ids), unknown, counted - elsewhere, read_records(environment))
        row.lost, row.doubled = totals.count_lost(tran_ids, has_records=has_records), totals.doubled
        if is_settled or time.monotonic() > ends:
            break
        is_settled = row.lost == 0  # look once more: a batch that is delivered twice comes later
        await asyncio.sleep(0.6)
    row.figures["calls"] = len(environment.calls)
    row.figures["answered_00000"] = len(tran_ids)
    row.require("no bug in the log of the relay", not any(relay.has_traceback for relay in environment.relays))
