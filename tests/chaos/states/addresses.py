"""An institution with two addresses, of which one is dead."""

import asyncio
from contextlib import suppress
from pathlib import Path

from fixtures.institution import Institution

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, THIRD, TIMEOUTS, Environment, open_gateway
from chaos.load import count_codes, get_percentile, get_share, summarize
from chaos.phases import require_healthy
from chaos.row import Row
from chaos.servers.black_hole import BlackHole

EJECTION_S = 4.0
"""Time in which the relay must notice the dead address."""

WATCHED_S = 5.0
SAMPLE_S = 0.05
SLOWER = 2.0
NOISE_MS = 10.0
SERVED = 0.99


async def address_black_holed(row: Row, folder: Path) -> None:
    """One of two addresses takes no connection and refuses none."""
    await run_with_dead_address(row, folder, is_black_hole=True)


async def address_refusing(row: Row, folder: Path) -> None:
    """One of two addresses refuses connections."""
    await run_with_dead_address(row, folder, is_black_hole=False)


async def run_with_dead_address(row: Row, folder: Path, *, is_black_hole: bool) -> None:
    """Runs a bank whose second address dies and comes back."""
    second = Institution(THIRD, "bank")
    await second.open()
    spare = [f"http://127.0.0.1:{second.port}"]
    banks = [Institution(BANK, "bank", timeouts=TIMEOUTS, spare_places=spare)]
    banks.append(Institution(OTHER, "bank", timeouts=TIMEOUTS))
    hole = BlackHole(second.port)
    try:
        async with open_gateway(folder, banks) as env:
            async with env.load(BANK, rate=60, spread=8), env.load(OTHER, rate=20):
                await env.run_phase("calm", 2)
                await env.run_phase("change", 0.2)
                await second.stop()
                if is_black_hole:
                    hole.open()
                await env.run_phase("ejecting", EJECTION_S)
                hole.reset()
                await sample(env, hole)
                hole.close()
                env.phase = "return"
                await second.open()
                second.received.clear()
                await env.run_phase("return", 5)
                await env.run_phase("after", 1.5)
            judge(row, env, hole if is_black_hole else None)
            named = sum(f":{second.port}" in line for line in env.gateway.output.splitlines())
            row.require("the log names the dead address", named >= 1)
            row.figures["calls_at_the_address_after"] = len(second.received)
            row.require("the address gets calls again", second.received)
            await compare_counts(row, env)
    finally:
        hole.close()
        await second.stop()


async def sample(env: Environment, hole: BlackHole) -> None:
    """Lets the load run as phase `degraded` and samples dials."""
    env.phase = "degraded"
    with suppress(TimeoutError):
        async with asyncio.timeout(WATCHED_S):
            while True:
                hole.sample()
                await asyncio.sleep(SAMPLE_S)


def judge(row: Row, env: Environment, hole: BlackHole | None) -> None:
    """Judges latency and success once the address is ejected, and how often it is probed."""
    calm, ejecting, degraded = (env.get_calls(phase, provider=BANK) for phase in ("calm", "ejecting", "degraded"))
    row.figures |= {"calm": summarize(calm), "ejecting": summarize(ejecting), "degraded": summarize(degraded)}
    limit_ms = max(SLOWER * get_percentile(calm, 0.5), NOISE_MS)
    p50_ms = get_percentile(degraded, 0.5)
    row.require_in_time(f"p50 at most {limit_ms:.0f} ms after ejection, not {p50_ms}", p50_ms <= limit_ms)
    p99_ms = get_percentile(degraded, 0.99)
    row.require_in_time(f"p99 below 500 ms after ejection, not {p99_ms}", p99_ms < 500)
    codes = count_codes(degraded)
    row.require(f"99 % of the calls succeed after ejection: {codes}", get_share(degraded) >= SERVED)
    row.require("calls succeed before and after", get_share(env.get_calls("calm", "after", provider=BANK)) == 1.0)
    if hole is not None:
        row.figures["dials_per_s"] = hole.dials / WATCHED_S
        row.require(f"a probe a second, not {hole.dials / WATCHED_S}", hole.dials <= WATCHED_S + 1)
    require_healthy(row, env)
