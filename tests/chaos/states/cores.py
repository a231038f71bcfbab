"""Cores that speak telegrams and fail, beside a healthy institution and a healthy core."""

import os
import signal
from collections.abc import Collection
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fixtures.savings_bank import CASES
from fixtures.telegram_core import TelegramCore, answer_nothing, answer_well

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, THIRD, TIMEOUTS, Environment, make_banks, open_environment
from chaos.phases import SUCCESS, Step, require_codes, require_healthy, run_phases
from chaos.row import Row

LINES = {"lines": 4, "answer_s": 2}
ACCOUNTS_CODE = "A001"
WARM_S = 2.0
"""Time in which connections are opened and used for the first time, before the phase `calm`."""

OUTAGE = (f"institution unavailable: org_code={BANK}", f"institution available again: org_code={BANK}")
HUNG = {"500 50003", "500 50005"}
"""50003 at first; 50005 while all lines are in use, or once the breaker is open."""


def make_core(org_code: str) -> TelegramCore:
    """Returns a core that answers 은행-001 with two accounts."""
    core = TelegramCore(org_code, core=LINES, timeouts=TIMEOUTS)
    core.values[ACCOUNTS_CODE] = CASES["BA01"][1]
    return core


@asynccontextmanager
async def open_cores(folder: Path):
    """Opens a relay with its adapter, a core as the bank, a server, and another core."""
    institutions = [make_core(BANK), *make_banks(OTHER), make_core(THIRD)]
    async with open_environment(folder, institutions) as env:
        await env.add_relay("one", "all", adapter={"socket": f"{env.authority_socket}b"})
        yield env


async def core_hanging(row: Row, folder: Path) -> None:
    """The core accepts telegrams and does not answer."""
    await run_with_script(row, folder, answer_nothing, HUNG)


async def core_garbage(row: Row, folder: Path) -> None:
    """The core answers with bytes that are no telegram."""

    async def answer_garbage(request, _) -> None:
        request.wire.send(b"\xff" * 64)

    alarm = [f'line closed: org_code={BANK} reason="frame: offset 0']
    await run_with_script(row, folder, answer_garbage, {"500 50007", "500 50005"}, alarm)


async def core_stopped(row: Row, folder: Path) -> None:
    """The core closes its lines and listens no more."""
    async with open_cores(folder) as env:
        await run_load(env, env.bank.stop, env.bank.open)
        await judge(row, env, {"500 50005"})


async def adapter_killed(row: Row, folder: Path) -> None:
    """The adapter is killed."""
    async with open_cores(folder) as env:
        former = env.gateway.find_children()["adapter"]

        async def enter() -> None:
            os.kill(former, signal.SIGKILL)

        async def leave() -> None:
            row.require("another adapter runs", env.gateway.find_children().get("adapter", former) != former)

        await run_load(env, enter, leave)
        require_codes(row, env, {SUCCESS, "500 50001"})
        require_healthy(row, env)
        failed = [call.due for call in env.get_calls(provider=BANK) if not call.is_success]
        row.figures["failed_for_s"] = round(max(failed, default=0.0) - min(failed, default=0.0), 1)
        row.require("one line `child process ended`", env.gateway.count_lines("child process ended: role=adapter") == 1)
        await compare_counts(row, env)


async def run_with_script(
    row: Row, folder: Path, script, codes: Collection[str], alarm: Collection[str] = OUTAGE
) -> None:
    """Runs a state in which the core of the bank answers by a script."""
    async with open_cores(folder) as env:

        async def enter() -> None:
            env.bank.script = script

        async def leave() -> None:
            env.bank.script = answer_well

        await run_load(env, enter, leave)
        await judge(row, env, codes, alarm)


async def run_load(env: Environment, enter: Step, leave: Step) -> None:
    """Runs the phases under calls to the core, to the server and to the other core."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(env.load(BANK, rate=20, connections=100))
        for provider in (OTHER, THIRD):
            await stack.enter_async_context(env.load(provider))
        await env.run_phase("warm", WARM_S)
        await run_phases(env, enter, leave, 8.0)


async def judge(row: Row, env: Environment, codes: Collection[str], alarm: Collection[str] = OUTAGE) -> None:
    """Judges responses, those of the healthy server and of the other core, the alarm, and counts."""
    require_codes(row, env, codes)
    require_healthy(row, env, THIRD)
    row.figures |= {f"other_core_{name.removeprefix('healthy_')}": row.figures.pop(name) for name in list(row.figures)
                    if name.startswith("healthy_")}  # fmt: skip
    require_healthy(row, env)
    for text in alarm:
        row.require(f"a log line `{text}`", env.gateway.count_lines(text) >= 1)
    await compare_counts(row, env)
