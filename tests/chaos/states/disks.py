"""Disks that are full: for access records, for the spool, for the file of the ledger."""

import sqlite3
from pathlib import Path

from chaos.counts import compare_counts, read_records
from chaos.environment import BANK, Environment, open_environment
from chaos.phases import SUCCESS, require_codes, run_phases
from chaos.row import Row
from chaos.servers.small_disk import SmallDisk, mount_small_disk

SECONDS = 4.0


async def records_disk_full(row: Row, folder: Path) -> None:
    """The disk of the access records has no free byte."""
    with mount_small_disk(folder / "disk", 2) as disk:
        async with open_environment(folder) as env:
            await env.add_relay("one", access_log={"path": "disk/one.access"})

            async def enter() -> None:
                disk.fill()

            async def leave() -> None:
                row.require("relay_access_log_lost counts", (await read_lost(env)) > 0)
                disk.free()

            async with env.load(BANK):
                await run_phases(env, enter, leave, SECONDS)
            require_codes(row, env, {SUCCESS})
            require_lines(row, env, "access records lost", "access records written again")
            await compare_counts(row, env, has_records=False)
            lost, succeeded = await read_lost(env), sum(call.is_success for call in env.calls)
            records = sum(read_records(env).values())
            row.figures |= {"records_lost": lost, "records_written": records}
            row.require(f"{records} written and {lost} lost are {succeeded} calls", records + lost == succeeded)


async def spool_disk_full(row: Row, folder: Path) -> None:
    """The disk of the spool has no free byte while the ledger takes no statistics."""
    with mount_small_disk(folder / "disk", 2) as disk:
        async with open_environment(folder) as env:
            await env.add_relay("one", statistics={"spool": "disk/spool"})
            locked = sqlite3.connect(folder / "ledger.db", isolation_level=None)

            async def enter() -> None:
                disk.fill()
                locked.execute("BEGIN IMMEDIATE")

            async def leave() -> None:
                metrics = await env.gateway.read_metrics()
                row.figures["statistics_waiting"] = int(metrics["relay_statistics_waiting"])
                row.require("relay_statistics_waiting grows", metrics["relay_statistics_waiting"] > 50)
                disk.free()
                locked.execute("ROLLBACK")
                locked.close()

            async with env.load(BANK):
                await run_phases(env, enter, leave, SECONDS)
            require_codes(row, env, {SUCCESS})
            require_lines(row, env, "statistics in memory only, spool not written")
            await compare_counts(row, env)


async def ledger_disk_full(row: Row, folder: Path) -> None:
    """The disk of a SQLite ledger has no free byte."""
    with mount_small_disk(folder / "disk", 16) as disk:
        url = f"sqlite:{disk.folder / 'ledger.db'}"
        async with open_environment(folder, ledger_url=url) as env:
            await env.add_relay("one", "all")
            await fill_and_judge(row, env, disk)


async def fill_and_judge(row: Row, env: Environment, disk: SmallDisk) -> None:
    """Fills the disk of the ledger under load, and frees it."""

    async def enter() -> None:
        disk.fill()

    async def leave() -> None:
        refreshed = await env.call_token()
        row.figures["token_call"] = f"{refreshed.status} {refreshed.rsp_code}"
        row.require("a token call gets 503", refreshed.status == 503)
        metrics = await env.gateway.read_metrics()
        row.figures["statistics_waiting"] = int(metrics["relay_statistics_waiting"])
        disk.free()

    async with env.load(BANK):
        await run_phases(env, enter, leave, SECONDS)
        refreshed = await env.call_token()
    row.require("token calls work after", refreshed.is_success)
    require_codes(row, env, {SUCCESS})
    row.require("the log names the full disk", env.gateway.count_lines("disk is full") >= 1)
    await compare_counts(row, env)


async def read_lost(env: Environment) -> int:
    """Returns the number of lost access records."""
    return int((await env.gateway.read_metrics())["relay_access_log_lost"])


def require_lines(row: Row, env: Environment, *texts: str) -> None:
    """Requires each text in exactly one line of the log."""
    for text in texts:
        lines = env.gateway.count_lines(text)
        row.require(f"one line `{text}`, not {lines}", lines == 1)
