"""What commands that look into the ledger share: settings read, ledger opened, what is wrong told in a line."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click

from relay.domain.jobs import JobState, Superseded
from relay.domain.ledger import Unreachable
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.jobs.runner import JobFailed, Runner
from relay.runtime.config import Loaded, load
from relay.runtime.labour import labour_of, leadership_of
from relay.runtime.ledgers import opened, unanswered
from relay.runtime.process import UNUSABLE

FAILED: Final = 1
"""Exit code when what was asked for could be done and went wrong, or differs."""
CANNOT: Final = 2
"""Exit code when nothing could be done."""
WAIT_S: Final = 600.0
"""So long a job is waited for that another instance runs."""
_LOOK_S: Final = 0.5

T = TypeVar("T")

config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("config/relay.yaml"),
    show_default=True,
    help="The relay's settings.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def consult(path: Path, work: Callable[[Loaded, SqlLedger], Awaitable[T]]) -> T:
    """Do something with the settings at `path` and their ledger. What stands in the way ends the command."""
    try:
        return asyncio.run(_consulted(path, work))
    except JobFailed as error:
        end(str(error), FAILED)
    except Unreachable as error:
        end(unanswered(error), CANNOT)
    except (*UNUSABLE, OSError) as error:
        end(str(error), CANNOT)


def end(words: str, code: int) -> NoReturn:
    """End the command with words for people."""
    click.echo(words, err=True)
    raise SystemExit(code)


async def _consulted(path: Path, work: Callable[[Loaded, SqlLedger], Awaitable[T]]) -> T:
    loaded = load(path, os.environ)
    ledger = await opened(loaded.settings.ledger)
    try:
        await ledger.check()
        return await work(loaded, ledger)
    finally:
        await ledger.close()


async def job_run(loaded: Loaded, ledger: SqlLedger, name: str) -> JobState:
    """Have a job run now: by us when nobody leads, else by who leads, and wait for it. Raises JobFailed."""
    settings = loaded.settings
    labour = labour_of(loaded, ledger)
    try:
        async with leadership_of(settings.jobs, ledger.jobs) as leadership:
            runner = Runner(labour.jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            try:
                await runner.run_now(name)
            except Superseded:
                await _run_elsewhere(ledger, name)
    finally:
        await labour.close()
    return (await ledger.jobs.jobs())[name]


async def _run_elsewhere(ledger: SqlLedger, name: str) -> None:
    asked = int(time.time())
    await ledger.jobs.ask(name, asked)
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                state = (await ledger.jobs.jobs()).get(name)
                if state is not None and state.begun_at >= asked and state.ended_at >= state.begun_at:
                    break
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise JobFailed(
            f"{name} was asked for, but the instance that leads has not ended it in {WAIT_S:.0f} s"
        ) from None
    if state.failures:
        raise JobFailed(state.told)


def moment(at: int) -> str | None:
    """A moment as ISO 8601 in Korea, None for never."""
    return None if not at else time.strftime("%Y-%m-%dT%H:%M:%S+09:00", time.gmtime(at + 9 * 3600))


def row(**told: Any) -> dict[str, Any]:
    """A row of output, in the order told."""
    return told
