"""Runs commands that use the ledger: reads settings, opens the ledger, reports errors in a line."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from relay.domain.jobs import JobState, JobStore, Superseded
from relay.domain.korea import format_iso
from relay.domain.ledger import LedgerDown
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.jobs.runner import JobFailed, Runner
from relay.runtime.commands.printing import EXIT_FAILED, EXIT_UNUSABLE, exit_with
from relay.runtime.settings.loading import LoadedSettings, load_settings
from relay.runtime.wiring.errors import SETTINGS_ERRORS
from relay.runtime.wiring.jobs import build_job_set, open_leadership
from relay.runtime.wiring.ledger import build_ledger, describe_unreachable

WAIT_S: Final = 600.0
"""Longest wait for a job that another instance runs."""
_LOOK_S: Final = 0.5

T = TypeVar("T")


def with_ledger(path: Path, work: Callable[[LoadedSettings, SqlLedger], Awaitable[T]]) -> T:
    """Runs `work` with the settings at `path` and their ledger. Ends the command with a message on errors."""
    try:
        return asyncio.run(_run_with_ledger(path, work))
    except JobFailed as error:
        exit_with(str(error), EXIT_FAILED)
    except LedgerDown as error:
        exit_with(describe_unreachable(error), EXIT_UNUSABLE)
    except (*SETTINGS_ERRORS, OSError) as error:
        exit_with(str(error), EXIT_UNUSABLE)


def require_portal(loaded: LoadedSettings) -> None:
    """Ends the command when no portal is configured."""
    if loaded.settings.portal is None:
        exit_with(
            "no portal is configured: operators come from directory.yaml and no statistics are sent",
            EXIT_UNUSABLE,
        )


async def _run_with_ledger(path: Path, work: Callable[[LoadedSettings, SqlLedger], Awaitable[T]]) -> T:
    loaded = load_settings(path, os.environ)
    ledger = build_ledger(loaded.settings.ledger)
    try:
        await ledger.check()
        return await work(loaded, ledger)
    finally:
        await ledger.close()


async def run_job(loaded: LoadedSettings, ledger: SqlLedger, name: str) -> JobState:
    """Runs a job now and returns its state afterwards: here without a leader, else in the leading instance.

    Waits for the leader; when it ends without having run the job, runs it here. Raises JobFailed after WAIT_S, and what
    a ledger raises.
    """
    settings = loaded.settings
    job_set = build_job_set(loaded, ledger)
    try:
        if name not in {job.name for job in job_set.jobs}:
            require_portal(loaded)
        async with open_leadership(settings.jobs, ledger.jobs) as leadership:
            runner = Runner(job_set.jobs, ledger.jobs, leadership, time.time, settings.jobs.term_s)
            if not await _run_here(runner, name):
                await _run_elsewhere(runner, ledger.jobs, name)
    finally:
        await job_set.close()
    return (await ledger.jobs.load_states())[name]


async def _run_here(runner: Runner, name: str) -> bool:
    """Returns whether the job ran here, successful or not; False while another instance leads."""
    try:
        await runner.run_now(name)
    except Superseded:
        return False
    except JobFailed:
        return True
    return True


async def _run_elsewhere(runner: Runner, book: JobStore, name: str) -> None:
    await book.request_run(name, int(time.time()))
    requested_at = (await book.load_states())[name].requested_at
    if (leader := await book.load_leader()) is not None:
        click.echo(f"{leader.holder} leads and was asked to run {name}", err=True)
    try:
        async with asyncio.timeout(WAIT_S):
            while not _has_run((await book.load_states())[name], requested_at):
                if await _is_leaderless(book) and await _run_here(runner, name):
                    break
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise JobFailed(
            f"{name} was requested, but the leading instance has not finished it in {WAIT_S:.0f} s"
        ) from None


def _has_run(state: JobState, requested_at: int) -> bool:
    return requested_at <= state.begun_at <= state.ended_at


async def _is_leaderless(book: JobStore) -> bool:
    leader = await book.load_leader()
    return leader is None or not leader.is_running(int(time.time()))


def format_time(at: int) -> str | None:
    """Returns Unix time as ISO 8601 in Korea, None for 0 (never)."""
    if at <= 0:
        return None
    return format_iso(at)
