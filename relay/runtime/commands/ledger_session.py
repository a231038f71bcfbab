"""What commands that look into the ledger share: settings read, ledger opened, what is wrong told in a line."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import click

from relay.domain.jobs import JobsBook, JobState, Superseded
from relay.domain.ledger import Unreachable
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.jobs.runner import JobFailed, Runner
from relay.runtime.processes.gateway import UNUSABLE
from relay.runtime.settings.loading import Loaded, load
from relay.runtime.wiring.jobs import labour_of, leadership_of
from relay.runtime.wiring.ledger import opened, unanswered

FAILED: Final = 1
"""Exit code when what was asked for could be done and went wrong, or differs."""
CANNOT: Final = 2
"""Exit code when nothing could be done."""
WAIT_S: Final = 600.0
"""So long a job is waited for that another instance runs."""
_LOOK_S: Final = 0.5
_KOREA_AHEAD_S: Final = 9 * 3600

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


def with_portal(loaded: Loaded) -> None:
    """End the command where there is no portal to speak of."""
    if loaded.settings.portal is None:
        end("there is no portal in the settings: who may call stands in directory.yaml, nobody is sent figures", CANNOT)


async def _consulted(path: Path, work: Callable[[Loaded, SqlLedger], Awaitable[T]]) -> T:
    loaded = load(path, os.environ)
    ledger = await opened(loaded.settings.ledger)
    try:
        await ledger.check()
        return await work(loaded, ledger)
    finally:
        await ledger.close()


async def job_run(loaded: Loaded, ledger: SqlLedger, name: str) -> JobState:
    """Have a job run now, here when nobody leads, else by who leads; how it stands after that, well or not.

    Who leads is waited for. When it is gone without having run the job, it is run here. Raises JobFailed when it runs
    for longer than anybody waits, and what a ledger raises.
    """
    settings = loaded.settings
    labour = labour_of(loaded, ledger)
    try:
        if name not in {job.name for job in labour.jobs}:
            with_portal(loaded)
        async with leadership_of(settings.jobs, ledger.jobs) as leadership:
            runner = Runner(labour.jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            if not await _run_here(runner, name):
                await _run_elsewhere(runner, ledger.jobs, name)
    finally:
        await labour.close()
    return (await ledger.jobs.jobs())[name]


async def _run_here(runner: Runner, name: str) -> bool:
    """Whether it was run here, well or not: its state tells that. False while somebody else leads."""
    try:
        await runner.run_now(name)
    except Superseded:
        return False
    except JobFailed:
        return True
    return True


async def _run_elsewhere(runner: Runner, book: JobsBook, name: str) -> None:
    await book.ask(name, int(time.time()))
    asked_at = (await book.jobs())[name].asked_at
    if (leader := await book.leader()) is not None:
        click.echo(f"{leader.holder} leads and is asked to run {name}", err=True)
    try:
        async with asyncio.timeout(WAIT_S):
            while not _answered((await book.jobs())[name], asked_at):
                if await _leaderless(book) and await _run_here(runner, name):
                    break
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise JobFailed(
            f"{name} was asked for, but the instance that leads has not ended it in {WAIT_S:.0f} s"
        ) from None


def _answered(state: JobState, asked_at: int) -> bool:
    return asked_at <= state.begun_at <= state.ended_at


async def _leaderless(book: JobsBook) -> bool:
    leader = await book.leader()
    return leader is None or not leader.runs(int(time.time()))


def moment(at: int) -> str | None:
    """A moment as ISO 8601 in Korea, None for never."""
    if at <= 0:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%S+09:00", time.gmtime(at + _KOREA_AHEAD_S))
