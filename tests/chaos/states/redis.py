"""Redis that is killed, paused or replaced while two gateways share the rate of an institution."""

import time
from bisect import bisect_right
from contextlib import asynccontextmanager
from pathlib import Path

from fixtures.gateway_environment import TWO
from fixtures.institution import answers_well
from fixtures.waiting import until
from harness.redis_server import RedisServer

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, Environment, make_banks, open_environment
from chaos.load import count_codes, summarize
from chaos.phases import Step, require_healthy, run_phases
from chaos.row import Row
from chaos.servers.redis_pair import RedisPair
from chaos.servers.slow_socket import SlowSocket
from relay.policy.quota.leases import LEASE_S

LIMIT = {"per_second": 50, "burst": 5}
ATTACK = 45.0
"""Calls a second of each of three streams at the institution."""

SECONDS = 4.0
"""How long the state lasts."""

LEAST_SHARE = 0.75
"""Share of the rate that both gateways together serve at least while Redis is away: each has its half."""

OUTAGE_S = 0.5
"""Time for which Redis leaves a silent gateway its part (docs/design/quotas.md)."""

TIMEOUT_S = 0.05
"""`quotas.timeout_s` here: cores are shared with callers and institutions."""

DELAY_S = 0.15
"""Delay of each reply of a slow Redis."""


async def redis_killed(row: Row, folder: Path) -> None:
    """Redis is killed and comes back empty."""
    server = RedisServer()
    server.start()

    async def enter() -> None:
        server.kill()

    async def leave() -> None:
        server.start()

    try:
        await run_with_redis(row, folder, server.url, enter, leave)
    finally:
        server.stop()


async def redis_paused(row: Row, folder: Path) -> None:
    """Redis accepts commands and answers none, then goes on."""
    server = RedisServer()
    server.start()

    async def enter() -> None:
        server.pause()

    async def leave() -> None:
        server.go_on()

    try:
        await run_with_redis(row, folder, server.url, enter, leave)
    finally:
        server.stop()


async def redis_slow(row: Row, folder: Path) -> None:
    """Redis executes commands, and its replies come after `quotas.timeout_s`."""
    server = RedisServer()
    server.start()
    try:
        async with SlowSocket(server.socket).run() as proxy:

            async def enter() -> None:
                proxy.delay_s = DELAY_S

            async def leave() -> None:
                proxy.delay_s = 0.0

            await run_with_redis(row, folder, f"unix://{proxy.path}", enter, leave)
    finally:
        server.stop()


async def redis_failed_over(row: Row, folder: Path) -> None:
    """The primary is killed, and a Sentinel promotes its replica."""
    pair = RedisPair()
    try:
        pair.start()

        async def enter() -> None:
            pair.kill_primary()

        async def leave() -> None:
            await until(lambda: pair.get_current() == pair.replica, "the promotion")

        await run_with_redis(row, folder, pair.url, enter, leave)
    finally:
        pair.stop()


async def run_with_redis(row: Row, folder: Path, url: str, enter: Step, leave: Step) -> None:
    """Runs the phases of two gateways that share `url`, and judges the rate at the institution."""
    async with open_two_gateways(folder, url) as (env, passed):

        async def enter_and_wait() -> None:
            await enter()
            for relay in env.gateways:
                alone = await relay.wait_for_metric("relay_quota_alone", lambda value: value == 1, 5.0)
                row.require("relay_quota_alone is 1 at both gateways", alone == 1)

        async def leave_and_wait() -> None:
            started = time.monotonic()
            await leave()
            for relay in env.gateways:
                together = await relay.wait_for_metric("relay_quota_alone", lambda value: value == 0)
                row.require("gateways count together again", together == 0)
            row.figures["together_again_s"] = round(time.monotonic() - started, 1)

        async with (
            env.load(BANK, rate=ATTACK),
            env.load(BANK, rate=ATTACK),
            env.load(BANK, rate=ATTACK, operator=TWO),
            env.load(OTHER, rate=20),
        ):
            await run_phases(env, enter_and_wait, leave_and_wait, SECONDS)
        judge_rate(row, env, passed)
        require_healthy(row, env)
        lines = sum(relay.count_lines("quota store unavailable") for relay in env.gateways)
        row.require(f"one line `quota store unavailable` of each gateway, not {lines}", lines == 2)
        await compare_counts(row, env)


@asynccontextmanager
async def open_two_gateways(folder: Path, url: str):
    """Opens an environment of two gateways. Yields it and the times at which calls reached the bank."""
    banks = make_banks()
    banks[0].settings["rate"] = LIMIT
    quotas = {"redis": url, "gateways": 2, "timeout_s": TIMEOUT_S}
    async with open_environment(folder, banks, quotas=quotas) as env:
        passed: list[float] = []

        async def note(call, wire) -> None:
            passed.append(time.monotonic())
            await answers_well(call, wire)

        env.bank.script = note
        for name in ("one", "two"):
            await env.add_relay(name)
        for relay in env.gateways:
            await relay.wait_for_metric("relay_quota_gateways", lambda number: number == 2)
        yield env, passed


def judge_rate(row: Row, env: Environment, passed: list[float]) -> None:
    """Requires the derived bound in every window of a second, and only 42901 beside successes."""
    rate, burst = LIMIT["per_second"], LIMIT["burst"]
    bound = rate * (1 + LEASE_S) + 3 * burst + rate * OUTAGE_S / 2
    most = max(bisect_right(passed, at + 1.0) - index for index, at in enumerate(passed))
    row.figures |= {"declared_per_s": rate, "most_in_a_second": most, "bound": round(bound)}
    row.require(f"at most {bound:.0f} calls in a second, not {most}", most <= bound)
    served = sum(call.is_success for call in env.get_calls("degraded", provider=BANK)) / SECONDS
    row.figures["served_per_s_degraded"] = served
    row.require(f"{LEAST_SHARE:.0%} of the rate is served while degraded, not {served}/s", served >= rate * LEAST_SHARE)
    codes = count_codes(env.get_calls(provider=BANK))
    row.require(f"only 200 and 42901, not {codes}", set(codes) == {"200 00000", "429 42901"})
    for phase in ("calm", "degraded", "after"):
        row.figures[phase] = summarize(env.get_calls(phase, provider=BANK))
    refused = [call for call in env.get_calls(provider=BANK) if call.status == 429]
    row.require("each 42901 has Retry-After", all(call.retry_after for call in refused))
