"""Three operators attack one institution through two gateways that share its limits: `python -m chaos.attack`."""

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from bisect import bisect_right
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from fixtures.institution import answers_well
from harness.redis_server import RedisServer
from hostile.figures import percentile

from chaos.environment import BANK, OTHER, UNLIMITED, make_banks, open_environment
from chaos.load import count_codes, get_percentile
from relay.infra.dns.event_loop import new_event_loop
from relay.policy.quota.leases import LEASE_S

RATE = {"per_second": 50, "burst": 5}
CONCURRENCY = 5
ANSWER_S = (0.02, 0.12)
"""Shortest and longest time of an answer of the attacked institution."""

CALM_RATE = 20.0
"""Calls a second at the other institution."""

SLOWER = 1.5
"""The relay's own p99 for calls at the other institution, over that in calm."""

EXAMPLES = """\b
Examples:
  make attack                   a minute, 1,000 calls a second
  make attack ARGS=--outage     Redis is away for 20 of the 60 seconds
  make attack ARGS='--seconds 10 --rate 300 --json'
"""


@dataclass
class Plan:
    """Length and rate of an attack, and whether Redis is away in its second third."""

    seconds: float
    rate: float
    has_outage: bool


class Watch:
    """Notes when calls reach the attacked institution, and how many are there at once."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.most_at_once = self._now = 0
        self._chance = random.Random(1)

    async def answer(self, call, wire) -> None:
        """Answers after some time."""
        self.times.append(time.monotonic())
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(self._chance.uniform(*ANSWER_S))
            await answers_well(call, wire)
        finally:
            self._now -= 1

    @property
    def most_in_a_second(self) -> int:
        """The most calls in any window of a second."""
        return max((bisect_right(self.times, at + 1.0) - index for index, at in enumerate(self.times)), default=0)


async def attack(plan: Plan, folder: Path) -> dict[str, object]:
    """Runs calm and attack. Returns the figures with `ok`."""
    watch, redis = Watch(), RedisServer()
    redis.start()
    banks = make_banks()
    banks[0].settings |= {"rate": RATE, "concurrency": CONCURRENCY, "queue": 100}
    banks[1].settings |= {"concurrency": 64}
    banks[0].script = watch.answer
    quotas = {"redis": redis.url, "gateways": 2}
    rates = {"refused": {"connection": UNLIMITED, "certificate": UNLIMITED, "address": UNLIMITED}}
    try:
        async with open_environment(folder, banks, has_three=True, quotas=quotas, rates=rates) as env:
            for name in ("one", "two"):
                await env.add_relay(name)
            for relay in env.gateways:
                await relay.wait_for_metric("relay_quota_gateways", lambda number: number == 2)
            async with env.load(OTHER, rate=CALM_RATE):
                await env.run_phase("calm", max(5.0, plan.seconds / 4))
                await run_attack(env, plan, redis)
            return summarize(env, watch, plan)
    finally:
        redis.stop()


async def run_attack(env, plan: Plan, redis: RedisServer) -> None:
    """Lets all operators call the institution."""
    async with AsyncExitStack() as stack:
        for operator in env.operators:
            rate = plan.rate / len(env.operators)
            await stack.enter_async_context(env.load(BANK, operator=operator, rate=rate, spread=2))
        await env.run_phase("attack", plan.seconds / 3)
        if plan.has_outage:
            redis.kill()
        await env.run_phase("attack", plan.seconds / 3)
        if plan.has_outage:
            redis.start()
        await env.run_phase("attack", plan.seconds / 3)


def summarize(env, watch: Watch, plan: Plan) -> dict[str, object]:
    """Returns what was seen, beside what is promised."""
    bound = RATE["per_second"] * (1 + LEASE_S) + RATE["burst"]
    calls = env.get_calls("attack", provider=BANK)
    times = {phase: read_times(env, phase) for phase in ("calm", "attack")}
    figures = {
        "calls": len(calls),
        "calls_per_s": round(len(calls) / plan.seconds),
        "passed_per_s": round(len(watch.times) / plan.seconds, 2),
        "most_in_a_second": watch.most_in_a_second,
        "bound_in_a_second": bound,
        "most_at_once": watch.most_at_once,
        "concurrency": CONCURRENCY,
        **{f"other_p99_ms_{phase}": figures for phase, figures in times.items()},
        "other_failed": sum(not call.is_success for call in env.get_calls(provider=OTHER)),
        "codes": count_codes(calls),
        "outages": sum(relay.count_lines("quota store unavailable") for relay in env.gateways),
    }
    holds = watch.most_in_a_second <= bound and watch.most_at_once <= CONCURRENCY
    is_slower = times["attack"]["relay"] > SLOWER * times["calm"]["relay"]
    return {"ok": holds and figures["other_failed"] == 0 and not is_slower, **figures}


def read_times(env, phase: str) -> dict[str, float]:
    """Returns the p99 of calls at the other institution in ms: as the caller saw it, and in the relay alone.

    The caller shares its process with all institutions and the callers that attack.
    """
    calls = {call.tran_id: call for call in env.get_calls(phase, provider=OTHER)}
    lines = "".join(log.read_text() for log in env.folder.glob("*.access")).splitlines()
    records = [record for record in map(json.loads, lines) if record["tran_id"] in calls]
    relay_ms = sorted(record["relay_ms"] for record in records)
    return {"caller": get_percentile(list(calls.values()), 0.99), "relay": round(percentile(relay_ms, 0.99), 2)}


@click.command(epilog=EXAMPLES)
@click.option("--seconds", type=click.FloatRange(3), default=60.0, show_default=True, help="Length of the attack.")
@click.option("--rate", type=click.FloatRange(1), default=1000.0, show_default=True, help="Calls a second in total.")
@click.option("--outage", is_flag=True, help="Kill Redis after a third, and start it again, empty, after two.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(*, seconds: float, rate: float, outage: bool, as_json: bool) -> None:
    """Attack an institution of 50 calls a second and 5 at once through two gateways with one Redis.

    Exit status 1 if more calls passed than docs/design/quotas.md allows, or if the relay takes 1.5 times as long
    for another institution's calls (p99) as in calm. All traffic stays on loopback.
    """
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    click.echo(f"attack of {seconds:.0f} s with {rate:.0f} calls a second", err=True)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            figures = runner.run(attack(Plan(seconds, rate, outage), folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            click.echo(f"{name:20} {value}")
    sys.exit(0 if figures["ok"] else 1)


if __name__ == "__main__":
    main(prog_name="chaos.attack")
