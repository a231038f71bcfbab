"""PostgreSQL that is stopped, paused, slow, full, or replaced by its standby."""

import asyncio
import os
import pwd
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path

from fixtures.database_proxy import DatabaseProxy
from harness import procfs
from harness.postgresql import PostgreSql

from chaos.counts import compare_counts
from chaos.environment import BANK, Environment, open_environment
from chaos.load import Call, count_codes, summarize
from chaos.phases import SUCCESS, Step, require_codes, run_phases
from chaos.row import Row
from chaos.servers.small_disk import mount_small_disk

DELAY_S = 0.1
"""Delay of each message to a slow database; a look-up of the relay takes about ten."""

COLD_TOKENS = 20
"""Tokens that the gateway has not seen before the database is slow."""

LIMITS = {"operator_provider": {"per_second": 60, "burst": 30}}
"""Rates in the row of a slow database: the load and the cold calls just fit."""

TRUST_S = 3
"""`ledger.trust_s` in the row of a long outage."""

ROLES = ("gateway", "authority", "jobs")

READ_ONLY = "ALTER SYSTEM SET default_transaction_read_only = on"


async def postgresql_stopped(row: Row, folder: Path) -> None:
    """The server is shut down and started again."""
    async with open_with_postgresql(folder) as (env, server):

        async def enter() -> None:
            await asyncio.to_thread(server.halt)

        async def leave() -> None:
            await require_refusals(row, env, env.new_token)
            await require_alarms(row, env)
            await asyncio.to_thread(server.resume)

        await run_and_judge(row, env, enter, leave)


async def postgresql_stopped_for_long(row: Row, folder: Path) -> None:
    """The server is away for longer than gateways trust what they know."""
    async with open_with_postgresql(folder, trust_s=TRUST_S) as (env, server):

        async def enter() -> None:
            await asyncio.to_thread(server.halt)
            await env.run_phase("trusted", TRUST_S - 1.5)
            await env.run_phase("change", 3.0)

        async def leave() -> None:
            row.require("/readyz names the ledger", "ledger" in (await env.gateway.admin("/readyz"))[1])
            await asyncio.to_thread(server.resume)

        async with env.load(BANK):
            await run_phases(env, enter, leave, 3.0)
        trusted = env.get_calls("trusted")
        row.require("calls succeed within trust_s", all(call.is_success for call in trusted))
        require_codes(row, env, {"500 50001"})
        row.require("a log line `ledger unavailable`", env.gateway.count_lines("ledger unavailable") >= 1)
        await compare_counts(row, env)


async def postgresql_paused(row: Row, folder: Path) -> None:
    """All processes of the server are stopped by SIGSTOP: connections stay open and nothing answers."""
    async with open_with_postgresql(folder) as (env, server):
        processes = []

        async def enter() -> None:
            processes.extend(procfs.tree(server.pid))
            send_signal(processes, signal.SIGSTOP)

        async def leave() -> None:
            try:
                await require_refusals(row, env, env.new_token)
                await require_alarms(row, env)
            finally:
                send_signal(processes, signal.SIGCONT)

        try:
            await run_and_judge(row, env, enter, leave)
        finally:
            send_signal(processes, signal.SIGCONT)


async def postgresql_slow(row: Row, folder: Path) -> None:
    """Each message to the server takes longer; tokens are new to the gateway."""
    server = await asyncio.to_thread(start_server)
    try:
        url = server.database()
        async with (
            DatabaseProxy(url) as proxy,
            open_all_roles(folder, url, relay_ledger=proxy.url, rates=LIMITS) as env,
        ):
            tokens = await asyncio.to_thread(env.record_tokens, COLD_TOKENS)
            cold: list[Call] = []

            async def enter() -> None:
                proxy.delay_s = DELAY_S

            async def leave() -> None:
                cold.extend(await asyncio.gather(*(env.call(token=token) for token in tokens), env.call_token()))
                proxy.delay_s = 0.0

            await run_and_judge(row, env, enter, leave)
            row.figures["cold"] = summarize(cold)
            row.require(f"calls with new tokens succeed: {count_codes(cold)}", all(call.is_success for call in cold))
    finally:
        await asyncio.to_thread(server.stop)


async def postgresql_full(row: Row, folder: Path) -> None:
    """The disk of the tables is full."""
    owner = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else os.getuid()
    server = await asyncio.to_thread(start_server)
    try:
        with mount_small_disk(folder / "disk", 64, owner) as disk:
            url = server.database()
            name = url.partition("@/")[2].partition("?")[0]
            admin = url.replace(name, "postgres")
            server.sql(admin, f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
            server.sql(admin, f"ALTER DATABASE {name} SET TABLESPACE small")
            async with open_all_roles(folder, url, statistics={"flush_s": 0.05}) as env:

                async def enter() -> None:
                    disk.fill()

                async def leave() -> None:
                    metrics = await env.gateway.read_metrics()
                    row.figures["statistics_waiting"] = int(metrics["relay_statistics_waiting"])
                    row.require("statistics wait", metrics["relay_statistics_waiting"] > 0)
                    disk.free()

                await run_and_judge(row, env, enter, leave, 12.0)
                refused = env.gateway.count_lines("No space left on device")
                row.require("the log names the full disk", refused >= 1)
                row.figures["lines_about_the_disk"] = refused
    finally:
        await asyncio.to_thread(server.stop)


async def postgresql_failed_over(row: Row, folder: Path) -> None:
    """The primary becomes read-only with its connections open, and its standby is promoted."""
    primary, standby = await asyncio.to_thread(start_server), PostgreSql()
    try:
        url = primary.database()
        await asyncio.to_thread(standby.follow, primary)
        name = url.partition("@/")[2].partition("?")[0]
        hosts = f"host={primary.folder},{standby.folder}&port=5432,5432&target_session_attrs=read-write"
        async with open_all_roles(folder, f"postgresql://relay@/{name}?{hosts}") as env:

            async def enter() -> None:
                await asyncio.to_thread(promote, primary, standby, url)
                row.figures["token_calls_work_after_s"] = await wait_for_token_calls(env)

            async def leave() -> None:
                connections = primary.sql(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relay'")
                row.figures["connections_to_the_old_primary"] = int(connections)
                row.require("no connection to the old primary is left", int(connections) == 0)

            await run_and_judge(row, env, enter, leave)
    finally:
        for server in (standby, primary):
            await asyncio.to_thread(server.stop)


# steps


def start_server() -> PostgreSql:
    """Returns a running server."""
    server = PostgreSql()
    server.start()
    return server


def promote(primary: PostgreSql, standby: PostgreSql, url: str) -> None:
    """Makes the primary read-only, waits until the standby has everything, and promotes it."""
    primary.sql(url, READ_ONLY)
    primary.sql(url, "SELECT pg_reload_conf()")
    time.sleep(0.2)
    position = primary.sql(url, "SELECT pg_current_wal_lsn()").strip()
    standby_url = url.replace(str(primary.folder), str(standby.folder))
    ends = time.monotonic() + 10
    while standby.sql(standby_url, f"SELECT pg_last_wal_replay_lsn() >= '{position}'").strip() != "t":
        assert time.monotonic() < ends, "the standby does not catch up"
    standby.promote()
    standby.sql(standby_url, "ALTER SYSTEM RESET default_transaction_read_only")


def send_signal(processes: list[int], number: signal.Signals) -> None:
    """Sends a signal to processes that are still there."""
    for pid in processes:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


async def wait_for_token_calls(env: Environment) -> float:
    """Returns the seconds until a token call succeeds."""
    started = time.monotonic()
    async with asyncio.timeout(20):
        while not (await env.call_token()).is_success:
            await asyncio.sleep(0.2)
    return round(time.monotonic() - started, 1)


@asynccontextmanager
async def open_all_roles(folder: Path, url: str, trust_s: int = 60, relay_ledger: str = "", **sections):
    """Opens an environment with all roles in one relay."""
    ledger = {"poll_s": 0.5, "trust_s": trust_s}
    async with open_environment(folder, ledger_url=url, ledger=ledger, **sections) as env:
        env.relay_ledger = relay_ledger or url
        (env.new_token,) = await asyncio.to_thread(env.record_tokens, 1)
        await env.add_relay("one", "all")
        yield env


@asynccontextmanager
async def open_with_postgresql(folder: Path, **options):
    """Opens an environment with all roles and its own server. Yields both."""
    server = await asyncio.to_thread(start_server)
    try:
        async with open_all_roles(folder, server.database(), **options) as env:
            yield env, server
    finally:
        await asyncio.to_thread(server.stop)


async def require_refusals(row: Row, env: Environment, token: str) -> None:
    """Requires that a call whose token the gateway does not know gets 50001, and a token call 503."""
    unknown, refreshed = await asyncio.gather(env.call(token=token), env.call_token())
    row.figures["new_token"] = f"{unknown.status} {unknown.rsp_code} after {unknown.ms / 1000:.1f} s"
    row.figures["token_call"] = f"{refreshed.status} {refreshed.rsp_code} after {refreshed.ms / 1000:.1f} s"
    row.require("a call with a new token gets 500 50001", (unknown.status, unknown.rsp_code) == (500, "50001"))
    row.require("a token call gets 503", (refreshed.status, refreshed.rsp_code) == (503, "temporarily_unavailable"))


async def require_alarms(row: Row, env: Environment) -> None:
    """Requires the metrics and lines of an outage, each line once."""
    metrics = await env.gateway.read_metrics()
    row.require("relay_ledger_age_seconds grows", metrics["relay_ledger_age_seconds"] > 2)
    row.require("relay_statistics_waiting is above 0", metrics["relay_statistics_waiting"] > 0)
    row.figures["statistics_waiting"] = int(metrics["relay_statistics_waiting"])
    lines = env.gateway.count_lines("ledger unavailable")
    row.require(f"one line `ledger unavailable` of each process, not {lines}", 1 <= lines <= len(ROLES))


async def run_and_judge(row: Row, env: Environment, enter: Step, leave: Step, seconds: float = 5.0) -> None:
    """Runs the phases; calls whose tokens the gateway knows must succeed all the time, token calls at the end."""
    row.require("token calls work before", (await env.call_token()).is_success)
    async with env.load(BANK):
        await run_phases(env, enter, leave, seconds)
        refreshed = await env.call_token()
    row.require(f"token calls work after: {refreshed.rsp_code} {refreshed.error}", refreshed.is_success)
    require_codes(row, env, {SUCCESS})
    waiting = await env.gateway.wait_for_metric("relay_statistics_waiting", lambda number: number < 40)
    row.require("the ledger takes statistics again", waiting < 40)
    await compare_counts(row, env)
