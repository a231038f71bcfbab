"""One operator that harms while another calls as usual."""

import asyncio
import contextlib
from pathlib import Path

from fixtures.gateway_environment import ONE, TWO

from chaos.counts import compare_counts
from chaos.environment import BANK, Environment, make_banks, open_environment
from chaos.load import count_codes, get_share, summarize
from chaos.phases import SUCCESS, require_codes, run_phases
from chaos.row import Row

SATURATED = {"per_second": 40, "burst": 10}
FLOOD = 160.0
"""Calls a second of the operator that floods, four times the rate of the institution."""

CALM_RATE = 5.0
FAIR_SHARE = 0.95
"""Share of an operator's calls that succeed while its demand is below its share of the institution."""

SCHEDULED_RATE, ON_DEMAND_RATE = 24.0, 36.0
OVERLOADED = {"per_second": 45, "burst": 10}
"""The institution of the row with scheduled calls: on-demand calls fit, both together do not."""

SLOW_CONNECTIONS = 100
HEAD_S = 5
FLOODING_ADDRESS = "127.0.0.66"


async def operator_flooding(row: Row, folder: Path) -> None:
    """One operator sends four times the rate of the institution, another 5 calls a second."""
    async with open_saturated(folder, SATURATED) as env, contextlib.AsyncExitStack() as stack:

        async def enter() -> None:
            await stack.enter_async_context(env.load(BANK, operator=TWO, rate=FLOOD))
            await asyncio.sleep(1.0)

        async def leave() -> None:
            await stack.aclose()

        async with env.load(BANK, operator=ONE, rate=CALM_RATE):
            await run_phases(env, enter, leave, 8.0)
        calls = env.get_calls("degraded", operator=ONE)
        row.figures |= {"operator": summarize(calls), "flooding": summarize(env.get_calls("degraded", operator=TWO))}
        row.require(f"{FAIR_SHARE:.0%} of the other operator's calls succeed", get_share(calls) >= FAIR_SHARE)
        codes = count_codes(env.get_calls(operator=TWO))
        row.require(f"the flood gets 200 and 42901, not {codes}", set(codes) <= {SUCCESS, "429 42901", "500 50005"})
        served = sum(call.is_success for call in env.get_calls("degraded"))
        most = SATURATED["per_second"] * 8.0 * 1.1 + SATURATED["burst"]
        row.figures["served_of_both"] = served
        row.require(f"the rate of the institution holds: {served} of at most {most:.0f}", served <= most)
        await require_metric(row, env, "relay_faults_total", "_rate")
        await compare_counts(row, env)


async def scheduled_overload(row: Row, folder: Path) -> None:
    """Scheduled and on-demand calls together exceed the rate of the institution."""
    async with open_saturated(folder, OVERLOADED) as env, contextlib.AsyncExitStack() as stack:

        async def enter() -> None:
            await stack.enter_async_context(env.load(BANK, operator=TWO, rate=SCHEDULED_RATE, api_type="scheduled"))
            await asyncio.sleep(1.0)

        async def leave() -> None:
            await stack.aclose()

        async with env.load(BANK, operator=ONE, rate=ON_DEMAND_RATE):
            await run_phases(env, enter, leave, 8.0)
        on_demand, scheduled = (env.get_calls("degraded", operator=operator) for operator in (ONE, TWO))
        row.figures |= {"on_demand": summarize(on_demand), "scheduled": summarize(scheduled)}
        row.require(f"{FAIR_SHARE:.0%} of the on-demand calls succeed", get_share(on_demand) >= FAIR_SHARE)
        row.require("scheduled calls are not starved", any(call.is_success for call in scheduled))
        await compare_counts(row, env)


async def slowloris(row: Row, folder: Path) -> None:
    """One operator opens many connections and sends the heads of requests byte by byte."""
    async with open_environment(folder) as env:
        await env.add_relay("one", gateway={"timeouts": {"head_s": HEAD_S}})
        tasks: set[asyncio.Task[float]] = set()

        async def enter() -> None:
            for _ in range(SLOW_CONNECTIONS):
                connection = await env.connect(TWO, address=FLOODING_ADDRESS)
                tasks.add(asyncio.create_task(send_slowly(connection)))

        async def leave() -> None:
            lasted = await asyncio.gather(*tasks)
            row.figures["closed_after_s"] = round(max(lasted), 1)
            row.require("each slow connection is closed", max(lasted) < HEAD_S + 3)

        async with env.load(BANK, operator=ONE):
            await run_phases(env, enter, leave, 6.0)
        require_codes(row, env, {SUCCESS})
        await require_metric(row, env, "relay_faults_total", "head_too_slow")
        await compare_counts(row, env)


async def send_slowly(connection) -> float:
    """Sends a head byte by byte until the relay closes. Returns the seconds that it took, at most 20."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    reading = asyncio.create_task(connection.reader.read())
    with contextlib.suppress(ConnectionError):
        for byte in b"GET /v1/bank/accounts HTTP/1.1\r\nHost: relay.test\r\n" * 4:
            if reading.done() or loop.time() - started > 20:
                break
            connection.send(bytes([byte]))
            await asyncio.wait({reading}, timeout=0.3)
    connection.abort()
    with contextlib.suppress(ConnectionError):
        await reading
    return loop.time() - started


@contextlib.asynccontextmanager
async def open_saturated(folder: Path, rate: dict):
    """Opens an environment with one gateway and a bank of this rate."""
    async with open_environment(folder, make_banks(BANK, rate=rate)) as env:
        await env.add_relay("one")
        yield env


async def require_metric(row: Row, env: Environment, start: str, part: str) -> None:
    """Requires a metric above 0 whose name begins and continues so."""
    metrics = await env.gateway.read_metrics()
    values = [value for name, value in metrics.items() if name.startswith(start) and part in name]
    row.require(f"{start} counts", sum(values) > 0)
