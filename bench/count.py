"""What counting for statistics costs each exchange: settling 256 of them with and without it, interleaved.

.venv/bin/python bench/count.py            # medians of 31 rounds each, in microseconds of CPU for one exchange
.venv/bin/python bench/count.py --json     # the same for machines
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from relay.domain.exchange import Exchange
from relay.domain.party import Operator, Service
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics
from relay.infra.records.recorder import Records
from relay.infra.statistics.counter import Tally
from relay.policy.call.access import Caller, Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes

ROUNDS = 31
REPEATS = 40
TOGETHER = 256
PROVIDERS, OPERATORS = 20, 10
GOOD, KNOWN = 0.97, 0.98


def mixed(rng: Random) -> list[Exchange]:
    """Closed exchanges as a busy gateway has them: many institutions and operators, some refused."""
    codes = [api.api_code for api in load_catalogue().of("bank")]
    made = []
    for _ in range(TOGETHER):
        exchange = Exchange(0.0, time.time())
        exchange.tran_id = "ZOPA000001M00000000000001"
        exchange.provider = f"ZBAA{rng.randrange(PROVIDERS):06}"
        exchange.operator = f"ZOPA{rng.randrange(OPERATORS):06}"
        exchange.client_id = f"{exchange.operator}SVC01" if rng.random() < KNOWN else ""
        exchange.industry, exchange.api_code = "bank", rng.choice(codes)
        exchange.api_type = rng.choice(["scheduled", "user-refresh"])
        good = rng.random() < GOOD
        exchange.status, exchange.rsp_code = (200, "00000") if good else (401, "40101")
        exchange.provider_status, exchange.asked = (200, 0.001) if good else (0, 0.0)
        exchange.reason, exchange.attempts = ("", 1) if good else ("token_expired", 0)
        exchange.close(0.012)
        made.append(exchange)
    return made


def records(folder: Path, loop: asyncio.AbstractEventLoop, *, counting: bool) -> Records:
    """What a gateway records with."""
    services = [(Service(f"ZOPA{at:06}SVC01", "x", f"ZOPA{at:06}"),) for at in range(OPERATORS)]
    callers = Callers.of(
        Caller.of(Operator(f"ZOPA{at:06}", "x", "1", ("192.0.2.1",), known)) for at, known in enumerate(services)
    )

    async def take(*_: object) -> bool:
        return True

    errors = {error.error for errors in load_oauth_errors().values() for error in errors}
    tally = Tally(Counting(load_catalogue(), load_rsp_codes(), errors), lambda: callers, take, folder)
    log = AccessLog("/dev/null", 10**9)
    return Records(Metrics(load_rsp_codes()), log, loop, tally if counting else None)


def settling(kept: Records, closed: list[Exchange]) -> Callable[[], float]:
    """One round of settling, in microseconds of CPU for each exchange."""

    def once() -> float:
        began = time.process_time()
        for _ in range(REPEATS):
            kept._closed = list(closed)
            kept.settle()
        took = time.process_time() - began
        kept._access_log._writer._queue.clear()
        return took / (REPEATS * len(closed)) * 1e6

    return once


def measured() -> dict[str, float]:
    """The medians with and without counting, and the median of the differences of neighbouring rounds."""
    closed = mixed(Random(1))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        loop = runner.get_loop()
        plain, counting = (settling(records(Path(folder), loop, counting=each), closed) for each in (False, True))
        pairs = [(plain(), counting()) for _ in range(ROUNDS + 1)][1:]
    return {
        "without": statistics.median(one for one, _ in pairs),
        "with": statistics.median(other for _, other in pairs),
        "counting": statistics.median(other - one for one, other in pairs),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object, microseconds by name")
    options = parser.parse_args()
    found = measured()
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:10} {value:6.2f} us")


if __name__ == "__main__":
    main()
