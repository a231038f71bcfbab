"""The course of most states: calm, degraded, back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

from chaos.environment import BANK, OTHER, Environment
from chaos.load import Call, count_codes, get_percentile, get_share, summarize
from chaos.row import Row

HEALTHY = 0.99
"""Share of calls at healthy institutions that must succeed."""

SLOWER = 1.5
"""The p99 of healthy institutions over that in calm."""

NOISE_MS = 400.0
"""A p99 below this is the machine's scheduling: it also runs callers, institutions and servers."""

LONGEST_S = 12.0
"""Longest time in which calls may fail after the state; a row judges only what comes after it."""

QUIET_S = 1.0
"""Time without a failed call after which everything is well again."""

SUCCESS = "200 00000"

Step = Callable[[], Awaitable[None]]


async def run_phases(env: Environment, enter: Step, leave: Step, seconds: float = 4.0) -> None:
    """Runs the load through the phases `calm`, `change`, `degraded`, `return`, `after`.

    Calls of `change` and `return` are under way while the state begins and ends. `return` ends when no call has failed
    for a second, at the latest after `LONGEST_S`.
    """
    await env.run_phase("calm", 1.5)
    await env.run_phase("change", 0.2)
    await enter()
    await env.run_phase("change", 0.3)
    await env.run_phase("degraded", seconds)
    env.phase, env.left_at = "return", time.monotonic()
    await leave()
    env.back_at = time.monotonic()
    await wait_until_back(env)
    await env.run_phase("after", 1.5)


async def wait_until_back(env: Environment) -> None:
    """Waits until no call has failed for a second, at most `LONGEST_S`."""
    while (now := time.monotonic()) < env.back_at + LONGEST_S:
        recent = [call for call in env.calls if call.due > now - QUIET_S]
        is_quiet = recent and not any(map(is_failed, recent)) and all(call.ended for call in recent[: len(recent) // 2])
        if is_quiet and now > env.back_at + QUIET_S:
            return
        await asyncio.sleep(0.1)


def is_failed(call: Call) -> bool:
    """Returns whether a call has ended without a response, or with one of a failure. 42901 is none."""
    return bool(call.ended) and (call.status == 0 or call.status >= 500)


async def do_nothing() -> None:
    """A step for states that need none."""


def require_healthy(row: Row, env: Environment, provider: str = OTHER, *phases: str) -> None:
    """Requires that calls at an institution succeed in all phases, and notes their figures."""
    calls = env.get_calls(*phases, provider=provider)
    row.figures["healthy_served"] = f"{100 * get_share(calls):.1f} %"
    calm, degraded = (env.get_calls(phase, provider=provider) for phase in ("calm", "degraded"))
    row.figures["healthy_p99"] = f"{get_percentile(calm, 0.99)} ms calm, {get_percentile(degraded, 0.99)} ms degraded"
    row.require("99 % of the calls at healthy institutions succeed", get_share(calls) >= HEALTHY)
    limit_ms = max(SLOWER * get_percentile(calm, 0.99), NOISE_MS)
    row.require_in_time(
        f"p99 at healthy institutions below {limit_ms:.0f} ms", get_percentile(degraded, 0.99) <= limit_ms
    )


def require_codes(row: Row, env: Environment, codes: Collection[str], provider: str = BANK) -> None:
    """Requires that callers get only these responses while the state lasts, and that they succeed before and after.

    Calls that end after the state are not judged: an institution that is back may serve them.
    """
    degraded = [call for call in env.get_calls("degraded", provider=provider) if call.ended <= env.left_at]
    row.figures["degraded"] = summarize(degraded)
    late = [call.due - env.back_at for call in env.get_calls("return", provider=provider) if is_failed(call)]
    row.figures["failed_after_the_end_for_s"] = round(max(late, default=0.0), 1) if max(late, default=0.0) > 0 else 0
    unexpected = {code: number for code, number in count_codes(degraded).items() if code not in codes}
    row.require(f"only {', '.join(sorted(codes))} while degraded, not {unexpected}", not unexpected)
    for phase in ("calm", "after"):
        calls = env.get_calls(phase, provider=provider)
        codes_seen = count_codes(calls)
        row.require(f"all calls succeed in the phase {phase}: {codes_seen}", calls and get_share(calls) == 1.0)
