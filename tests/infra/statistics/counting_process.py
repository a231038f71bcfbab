"""A process that counts exchanges into a real ledger until it is killed, and says on stdout how far it is.

usage: counting_process.py LEDGER_URL SPOOL FLUSH_S OPERATOR

`R number moment` when exchanges up to this number were recorded, `A batch_id exchanges` when the ledger has a batch.
Exchange number n belongs to institution n % 7.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from relay.domain.exchange import Exchange
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import open_ledger
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics
from relay.infra.records.recorder import Records
from relay.infra.statistics.counter import Tally
from relay.policy.call.access import Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_rsp_codes

TOGETHER = 10


def exchange(number, operator):
    made = Exchange(0.0, time.time())
    made.provider, made.operator, made.client_id = f"ZBAA00000{number % 7}", operator, "SVC1"
    made.industry, made.api_code = "bank", "BA01"
    made.status, made.rsp_code, made.provider_status = 200, "00000", 200
    made.close(0.0)
    return made


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def main(url, spool, flush_s, operator):
    ledger = await open_ledger(url, Sealer([CustomerKey("one", b"1" * 32)]), 4)

    async def take(batch, now):
        fresh = await ledger.statistics.take_batch(batch, now)
        say("A", batch.batch_id, sum(batch.counts.values()))
        return fresh

    loop = asyncio.get_running_loop()
    counting = Counting(load_catalogue(), load_rsp_codes(), ())
    tally = Tally(counting, lambda: Callers.of(()), take, Path(spool))
    records = Records(Metrics(()), AccessLog("/dev/null", 1), loop, tally)
    following = asyncio.ensure_future(tally.follow(float(flush_s), asyncio.Event()))
    recorded = 0
    while not following.done():
        for number in range(recorded, recorded + TOGETHER):
            records.record(exchange(number, operator))
        recorded += TOGETHER
        say("R", recorded, time.monotonic())
        await asyncio.sleep(0.004)


asyncio.run(main(*sys.argv[1:]))
