"""Institutions that fail in some way beside a healthy one."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from fixtures.failure_modes import SCRIPTS
from fixtures.institution import answers_well, build_body, build_response

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, THIRD, Environment, make_banks, open_gateway
from chaos.phases import SUCCESS, require_codes, require_healthy, run_phases
from chaos.row import Row

SURPLUS = bytes(1024 * 1024)
TRICKLE_S = 0.2
PER_OPERATOR = 64
"""Connections of one operator in the row of two hung institutions."""

MOST_REASONS = 3
"""Reasons for which one institution may be unavailable in one row: each has a line a minute."""

REFUSED = {"500 50005", "500 50003"}
HUNG = REFUSED | {"429 42901"}
"""50003 at first; 50005 or 42901 once the breaker is open or the operator has its share of calls in flight."""


async def institution_refusing(row: Row, folder: Path) -> None:
    """The bank does not listen for some seconds."""
    async with open_gateway(folder) as env:
        async with env.load(BANK), env.load(OTHER):
            await run_phases(env, env.bank.stop, env.bank.open)
        await judge(row, env, REFUSED)


async def institution_hanging(row: Row, folder: Path) -> None:
    """The bank accepts requests and does not answer."""
    await run_with_script(row, folder, SCRIPTS["says_nothing"], HUNG)


async def institution_trickling(row: Row, folder: Path) -> None:
    """The bank sends its response byte by byte, never in time."""

    async def trickle(call, wire) -> None:
        for byte in build_response(build_body(call), f"x-api-tran-id: {call.tran_id}"):
            if wire.writer.is_closing():
                return
            await wire.send(bytes([byte]))
            await asyncio.sleep(TRICKLE_S)

    await run_with_script(row, folder, trickle, HUNG | {"no response"})


async def institution_flooding(row: Row, folder: Path) -> None:
    """The bank sends a megabyte more than it should, or a head without end."""
    turns = itertools.count()

    async def flood(call, wire) -> None:
        if next(turns) % 2:
            await SCRIPTS["has_an_endless_head"](call, wire)
        else:
            await answers_well(call, wire)
            await wire.send(SURPLUS)

    await run_with_script(row, folder, flood, {SUCCESS, "500 50005"})


async def institution_aborting(row: Row, folder: Path) -> None:
    """The bank resets connections before, within the head of, and within the body of its response."""
    names = itertools.cycle(["resets_without_a_byte", "closes_within_the_head", "resets_within_the_body"])

    async def abort(call, wire) -> None:
        await SCRIPTS[next(names)](call, wire)

    await run_with_script(row, folder, abort, {"500 50005", "no response"})


async def two_institutions_hanging(row: Row, folder: Path) -> None:
    """Two institutions hang; the same operator calls a third one."""
    limits = {"limits": {"connections_per_operator": PER_OPERATOR}}
    hung = (BANK, THIRD)
    async with open_gateway(folder, make_banks(BANK, OTHER, THIRD), gateway=limits) as env:

        async def enter() -> None:
            for code in hung:
                env.institutions[code].script = SCRIPTS["says_nothing"]

        async def leave() -> None:
            for code in hung:
                env.institutions[code].script = answers_well

        async with (
            env.load(BANK, connections=PER_OPERATOR),
            env.load(THIRD, connections=PER_OPERATOR),
            env.load(OTHER, rate=20),
        ):
            await run_phases(env, enter, leave, 6.0)
        await judge(row, env, HUNG | {"no response"})


async def run_with_script(row: Row, folder: Path, script, codes: Collection[str]) -> None:
    """Runs a state in which the bank answers by a script."""
    async with open_gateway(folder) as env:

        async def enter() -> None:
            env.bank.script = script

        async def leave() -> None:
            env.bank.script = answers_well

        async with env.load(BANK, rate=20, connections=100), env.load(OTHER):
            await run_phases(env, enter, leave, 5.0)
        await judge(row, env, codes)


async def judge(row: Row, env: Environment, codes: Collection[str]) -> None:
    """Judges responses, the alarm, repeated requests and counts."""
    require_codes(row, env, codes)
    require_healthy(row, env)
    await require_alarm(row, env)
    require_few_repeats(row, env)
    await compare_counts(row, env)


async def require_alarm(row: Row, env: Environment) -> None:
    """Requires one log line at the begin and one at the end, and the metric of faults."""
    for text in ("unavailable", "available again"):
        lines = env.gateway.count_lines(f"institution {text}: org_code={BANK}")
        row.require(f"one line `institution {text}` for each reason, not {lines}", 1 <= lines <= MOST_REASONS)
    metrics = await env.gateway.read_metrics()
    faults = sum(value for name, value in metrics.items() if name.startswith("relay_faults_total") and BANK in name)
    row.require("relay_faults counts the failures", faults > 0)
    row.figures["faults"] = int(faults)


def require_few_repeats(row: Row, env: Environment) -> None:
    """Requires that the institution gets a request at most twice, and the second time on a new connection."""
    received = Counter(call.tran_id for call in env.bank.received)
    row.figures["sent_twice"] = sum(number == 2 for number in received.values())
    row.require("no request is sent more than twice", max(received.values(), default=0) <= 2)
