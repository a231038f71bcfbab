"""Counts exchanges into a real ledger until it is killed, and prints its progress.

usage: counting_process.py LEDGER_URL SPOOL FLUSH_S OPERATOR

`R number moment`: exchanges up to this number were recorded. `A batch_id exchanges`: the ledger has the batch.
Exchange number n belongs to institution n % 7.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from relay.domain.exchange import Exchange
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics
from relay.infra.records.recorder import ExchangeRecorder
from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.statistics.delivery import Delivery
from relay.infra.statistics.spool import Spool
from relay.policy.call.access import Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_rsp_codes

CHUNK = 10


def exchange(number, operator):
    exchange_ = Exchange(0.0, time.time())
    exchange_.provider, exchange_.operator, exchange_.client_id = f"ZBAA00000{number % 7}", operator, "SVC1"
    exchange_.industry, exchange_.api_code = "bank", "BA01"
    exchange_.status, exchange_.rsp_code, exchange_.provider_status = 200, "00000", 200
    exchange_.close(0.0)
    return exchange_


def report(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def main(url, spool, flush_s, operator):
    ledger = create_ledger(url, Sealer([CustomerKey("one", b"1" * 32)]), 4)

    async def take(batch, now):
        fresh = await ledger.statistics.take_batch(batch, now)
        report("A", batch.batch_id, sum(batch.counts.values()))
        return fresh

    loop = asyncio.get_running_loop()
    counting = Counting(load_catalogue(), load_rsp_codes(), ())
    counter = StatisticsCounter(counting, lambda: Callers.from_iterable(()), Delivery(take, Spool(Path(spool))))
    records = ExchangeRecorder(Metrics(()), AccessLog("/dev/null", 1), loop, counter)
    following = asyncio.ensure_future(counter.run(float(flush_s), asyncio.Event()))
    recorded = 0
    while not following.done():
        for number in range(recorded, recorded + CHUNK):
            records.record(exchange(number, operator))
        recorded += CHUNK
        report("R", recorded, time.monotonic())
        await asyncio.sleep(0.004)


asyncio.run(main(*sys.argv[1:]))
