"""Measures what counting for statistics costs each exchange: 256 are settled with and without it, interleaved.

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
from relay.infra.records.recorder import ExchangeRecorder
from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.statistics.delivery import Delivery
from relay.infra.statistics.spool import Spool
from relay.policy.call.access import Caller, Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes

ROUNDS = 31
REPEATS = 40
TOGETHER = 256
PROVIDERS, OPERATORS = 20, 10
GOOD, KNOWN = 0.97, 0.98


def mixed(rng: Random) -> list[Exchange]:
    """Returns closed exchanges of many institutions and operators, some refused."""
    codes = [api.api_code for api in load_catalogue().iter_apis("bank")]
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
        exchange.provider_status, exchange.provider_started = (200, 0.001) if good else (0, 0.0)
        exchange.reason, exchange.attempts = ("", 1) if good else ("token_expired", 0)
        exchange.close(0.012)
        made.append(exchange)
    return made


def records(folder: Path, loop: asyncio.AbstractEventLoop, *, counting: bool) -> ExchangeRecorder:
    """Returns the recorder of a gateway."""
    services = [(Service(f"ZOPA{at:06}SVC01", "x", f"ZOPA{at:06}"),) for at in range(OPERATORS)]
    callers = Callers.from_iterable(
        Caller.from_operator(Operator(f"ZOPA{at:06}", "x", "1", ("192.0.2.1",), known))
        for at, known in enumerate(services)
    )

    async def take(*_: object) -> bool:
        return True

    errors = {error.error for errors in load_oauth_errors().values() for error in errors}
    counting_rules = Counting(load_catalogue(), load_rsp_codes(), errors)
    counter = StatisticsCounter(counting_rules, lambda: callers, Delivery(take, Spool(folder)))
    log = AccessLog("/dev/null", 10**9)
    return ExchangeRecorder(Metrics(load_rsp_codes()), log, loop, counter if counting else None)


def settling(recorder: ExchangeRecorder, closed: list[Exchange]) -> Callable[[], float]:
    """Returns a function that settles once and returns microseconds of CPU for each exchange."""

    def settle() -> float:
        began = time.process_time()
        for _ in range(REPEATS):
            recorder._closed = list(closed)
            recorder.settle()
        took = time.process_time() - began
        recorder._access_log._writer._queue.clear()
        return took / (REPEATS * len(closed)) * 1e6

    return settle


def measure() -> dict[str, float]:
    """Returns the medians with and without counting, and the median difference of adjacent rounds."""
    closed = mixed(Random(1))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        loop = runner.get_loop()
        plain, counting = (settling(records(Path(folder), loop, counting=each), closed) for each in (False, True))
        pairs = [(plain(), counting()) for _ in range(ROUNDS + 1)][1:]
    return {
        "without": statistics.median(without for without, _ in pairs),
        "with": statistics.median(with_counting for _, with_counting in pairs),
        "counting": statistics.median(with_counting - without for without, with_counting in pairs),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object, microseconds by name")
    options = parser.parse_args()
    figures = measure()
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        print(f"{name:10} {value:6.2f} us")


if __name__ == "__main__":
    main()
