"""A gateway whose clock is five minutes ahead or behind."""

from pathlib import Path

from fixtures.gateway_environment import BANK, ONE

from chaos.counts import compare_counts
from chaos.environment import open_environment
from chaos.phases import SUCCESS, require_codes, run_phases
from chaos.row import Row
from chaos.servers.moved_clock import MovedClock

FIVE_MINUTES = 300
HOUR = 3600


async def clock_ahead(row: Row, folder: Path) -> None:
    """The clock jumps five minutes ahead and back."""
    ending = {"iat": -HOUR, "exp": FIVE_MINUTES - 60}
    await run_with_clock(row, folder, FIVE_MINUTES, ending, "401 40101")


async def clock_behind(row: Row, folder: Path) -> None:
    """The clock jumps five minutes back and then is right again."""
    await run_with_clock(row, folder, -FIVE_MINUTES, {"iat": 0, "exp": HOUR}, "401 40101")


async def clock_behind_with_leeway(row: Row, folder: Path) -> None:
    """The clock jumps five minutes back; the settings allow that difference."""
    await run_with_clock(row, folder, 10 - FIVE_MINUTES, {"iat": 0, "exp": HOUR}, SUCCESS, {"leeway_s": 300})


async def run_with_clock(row: Row, folder: Path, seconds: int, times: dict, expected: str, tokens=None) -> None:
    """Runs a gateway whose clock moves; `times` are those of a token that gets `expected` meanwhile."""
    async with open_environment(folder, tokens=tokens or {}) as env:
        clock = MovedClock(folder)
        with env.open_writer() as writer:
            env.tokens.record = writer.record
            old, affected = (
                env.tokens.build({"from_now": values}, ONE, BANK, "bank")
                for values in ({"iat": -HOUR, "exp": HOUR}, times)
            )
        await env.add_relay("one", variables=clock.variables)

        async def enter() -> None:
            clock.move(seconds)

        async def leave() -> None:
            call = await env.call(token=affected)
            code = f"{call.status} {call.rsp_code}"
            row.figures["affected_token"] = code
            row.require(f"the affected token gets {expected}, not {code}", code == expected)
            clock.move(0)
            again = await env.call(token=affected)
            row.require("the affected token is accepted again", again.is_success)

        async with env.load(BANK, build=lambda call: env.build_request(call, old)):
            await run_phases(env, enter, leave)
        require_codes(row, env, {SUCCESS})
        await compare_counts(row, env)
