"""Processes of the relay that are killed, restarted, or run out of file descriptors."""

import asyncio
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from harness.layout import free_ports

from chaos.counts import compare_counts, count_statistics
from chaos.environment import BANK, TWO, Environment, open_environment
from chaos.load import count_codes, get_percentile, get_share, summarize
from chaos.phases import SUCCESS, do_nothing, require_codes, run_phases
from chaos.refreshing import build_refresh
from chaos.row import Row
from chaos.servers.haproxy import run_haproxy
from chaos.servers.moved_clock import MovedClock
from relay.domain.korea import day_in_korea

WORKERS = {"workers": 2}
DRAIN_S = 1.5
RECORDS_S = 0.1
"""Calls of so many seconds may have no access record when a worker is killed: records are written 30 ms later."""

SPREAD = 12
"""Connections in use: both workers have some."""

DAY_S = 86_400
ROLLING_RATE = 150.0
PROXY = {"enabled": True, "trusted": ["127.0.0.0/8"]}
TOKEN_RATE = 20.0
FILES = 130
"""File limit of the gateway that has too few."""

IDLE_CONNECTIONS = 200


async def worker_killed(row: Row, folder: Path) -> None:
    """One of two workers is killed."""
    async with open_environment(folder) as env:
        await env.add_relay("one", "all", gateway=WORKERS)
        former = env.gateway.get_workers()

        async def enter() -> None:
            os.kill(former[1], signal.SIGKILL)

        async def leave() -> None:
            row.require("a new worker serves", env.gateway.get_workers()[1] != former[1])
            restarts = await env.gateway.wait_for_metric("relay_worker_restarts_total", lambda number: number == 1)
            row.require("relay_worker_restarts is 1", restarts == 1)

        async with env.load(BANK, rate=80, spread=SPREAD):
            await run_phases(env, enter, leave)
        require_codes(row, env, {SUCCESS})
        require_line(row, env, "child process ended: role=worker-1")
        row.figures["failed"] = sum(not call.is_success for call in env.calls)
        await repair_counts(row, env, 80)


async def authority_killed(row: Row, folder: Path) -> None:
    """The authority is killed under token calls."""
    await kill_child(row, folder, "authority")


async def jobs_killed(row: Row, folder: Path) -> None:
    """The jobs are killed."""
    await kill_child(row, folder, "jobs")


async def kill_child(row: Row, folder: Path, role: str) -> None:
    """Kills a child that carries no data call, under data and token calls."""
    async with open_environment(folder) as env:
        await env.add_relay("one", "all")
        former = env.gateway.find_children()[role]

        async def enter() -> None:
            os.kill(former, signal.SIGKILL)

        async def leave() -> None:
            row.require(f"another process of {role} runs", env.gateway.find_children().get(role, former) != former)

        async with env.load(BANK), load_tokens(env):
            await run_phases(env, enter, leave, 5.0)
        data, tokens = split(env)
        row.figures |= {"data": summarize(data), "tokens": summarize(tokens)}
        row.require("all data calls succeed", get_share(data) == 1.0)
        allowed = {SUCCESS, "503 temporarily_unavailable"} if role == "authority" else {SUCCESS}
        row.require(f"token calls get {sorted(allowed)}", set(count_codes(tokens)) <= allowed)
        after = [call for call in tokens if call.phase == "after"]
        row.require("token calls succeed again", after and get_share(after) == 1.0)
        failed = [call for call in tokens if not call.is_success]
        row.figures["tokens_failed_for_s"] = round(max((call.due for call in failed), default=0.0) - min(
            (call.due for call in failed), default=0.0), 1)  # fmt: skip
        require_line(row, env, f"child process ended: role={role}")
        await compare_counts(row, env)


async def relay_killed(row: Row, folder: Path) -> None:
    """All processes of a relay with two workers are killed, and the relay is started again."""
    async with open_environment(folder) as env:
        relay = await env.add_relay("one", "all", gateway=WORKERS)

        async def enter() -> None:
            relay.signal_all(signal.SIGKILL)
            await relay.wait_ended()

        async def leave() -> None:
            started = time.monotonic()
            await relay.start()
            row.figures["ready_again_after_s"] = round(time.monotonic() - started, 1)

        async with env.load(BANK, spread=SPREAD):
            await run_phases(env, enter, leave, 1.0)
        require_codes(row, env, {"no response"})
        await repair_counts(row, env, 40)


async def workers_restarted(row: Row, folder: Path) -> None:
    """`relay restart` replaces both workers under load."""
    async with open_environment(folder) as env:
        await env.add_relay("one", "all", gateway=WORKERS | {"drain": {"delay_s": 0.5, "finish_s": 5}})

        async def enter() -> None:
            status, output = await env.run_command("restart")
            row.require(f"relay restart succeeds: {output}", status == 0)

        async with env.load(BANK, rate=80, spread=SPREAD), load_tokens(env):
            await run_phases(env, enter, do_nothing, 1.0)
        require_no_failure(row, env)
        await compare_counts(row, env)


async def process_group_terminated(row: Row, folder: Path) -> None:
    """SIGTERM reaches the whole process group, as systemd sends it, under data and token calls."""
    async with open_environment(folder) as env:
        drain = {"drain": {"delay_s": DRAIN_S, "finish_s": 5}}
        relay = await env.add_relay("one", "all", gateway=drain)
        async with env.load(BANK), load_tokens(env):
            await env.run_phase("calm", 1.5)
            env.phase = "draining"
            relay.signal_all(signal.SIGTERM)
            started = time.monotonic()
            await asyncio.sleep(DRAIN_S - 0.3)
            env.phase = "stopped"
            status = await relay.wait_ended()
            row.figures["stopped_after_s"] = round(time.monotonic() - started, 1)
        row.require(f"exit status 0, not {status}", status == 0)
        data, tokens = split(env)
        for name, calls in (("data", data), ("tokens", tokens)):
            served = [call for call in calls if call.phase != "stopped"]
            row.figures[name] = summarize(served)
            failed = sum(not call.is_success for call in served)
            row.require(f"no {name} call fails during the drain, not {failed}", failed == 0)
            late = count_codes(call for call in calls if call.phase == "stopped" and call.was_sent)
            row.figures[f"{name}_after_the_drain"] = describe_codes(late)
            broken = {code: number for code, number in late.items() if code.startswith("5")}
            row.require(f"no accepted {name} call fails after the drain, not {broken}", not broken)
        await relay.start()
        await compare_counts(row, env)


async def gateways_restarted(row: Row, folder: Path) -> None:
    """Two gateways behind HAProxy are stopped and started one after the other under load."""
    async with open_environment(folder) as env:
        await env.add_relay("authority", "authority")
        ports = free_ports(4)
        places = {"one": tuple(ports[:2]), "two": tuple(ports[2:])}
        for name, (port, admin) in places.items():
            listener = {"address": "127.0.0.1", "port": port, "proxy_protocol": PROXY}
            gateway = {"listeners": [listener], "drain": {"delay_s": DRAIN_S, "finish_s": 5}}
            await env.add_relay(name, gateway=gateway, admin={"port": admin})
        with run_haproxy(folder, places) as env.front_port:
            async with env.load(BANK, rate=ROLLING_RATE, spread=SPREAD):
                await env.run_phase("calm", 2)
                for relay in env.gateways:
                    env.phase = "restarting"
                    relay.child.terminate()
                    status = await relay.wait_ended()
                    row.require(f"exit status 0, not {status}", status == 0)
                    await relay.start()
                    await env.run_phase("restarting", 1.5)
                await env.run_phase("after", 1)
        require_no_failure(row, env)
        await compare_counts(row, env)


async def file_limit_reached(row: Row, folder: Path) -> None:
    """A gateway with few file descriptors gets more connections than it has."""
    async with open_environment(folder) as env:
        prefix = ["prlimit", f"--nofile={FILES}:{FILES}"]
        await env.add_relay("one", prefix=prefix)
        require_line(row, env, "file limit too low for the settings")
        with ExitStack() as idle:

            async def enter() -> None:
                for _ in range(IDLE_CONNECTIONS):
                    opened = await asyncio.gather(env.connect(TWO), return_exceptions=True)
                    for connection in opened:
                        if isinstance(connection, BaseException):
                            row.figures["refused"] = row.figures.get("refused", 0) + 1
                        else:
                            idle.callback(connection.abort)

            async def leave() -> None:
                name = 'relay_handshakes_rejected_total{reason="no_descriptors"}'
                rejected = await env.gateway.wait_for_metric(name, lambda number: number > 0, 5.0)
                row.figures["no_descriptors"] = rejected
                row.require("relay_handshakes_rejected counts no_descriptors", rejected > 0)
                row.require("/healthz answers", (await env.gateway.admin("/healthz"))[0] == 200)
                idle.close()

            async with env.load(BANK, rate=20):
                await run_phases(env, enter, leave)
        require_codes(row, env, {SUCCESS})
        await compare_counts(row, env)


# loads and judgements


def load_tokens(env: Environment):
    """Refreshes tokens at a constant rate during the block."""
    return env.load(BANK, rate=TOKEN_RATE, build=lambda call: build_refresh(call, env.refresh_token), api_type="")


def split(env: Environment):
    """Returns data calls and token calls."""
    return [call for call in env.calls if call.api_type], [call for call in env.calls if not call.api_type]


def describe_codes(codes: dict[str, int]) -> str:
    """Returns counts of responses as text."""
    return ", ".join(f"{number} × {code}" for code, number in codes.items()) or "none"


def require_line(row: Row, env: Environment, text: str) -> None:
    """Requires one line of the log."""
    lines = env.gateway.count_lines(text)
    row.require(f"one line `{text}`, not {lines}", lines == 1)


def require_no_failure(row: Row, env: Environment) -> None:
    """Requires that every call succeeds."""
    for name, calls in zip(("data", "tokens"), split(env), strict=True):
        if calls:
            row.figures[name] = summarize(calls)
            failed = sum(not call.is_success for call in calls)
            row.require(f"no {name} call fails, not {failed}: {count_codes(calls)}", failed == 0)


async def repair_counts(row: Row, env: Environment, rate: float) -> None:
    """Recounts the day from access records, as docs/operate/statistics.md says, then compares."""
    await env.gateway.wait_for_metric("relay_statistics_waiting", lambda number: number == 0)
    await asyncio.sleep(1.0)  # the last batch of the ended load
    before = await asyncio.to_thread(count_statistics, env)
    day = day_in_korea(time.time())
    tomorrow = MovedClock(env.folder)  # only a day that is over can be repaired
    tomorrow.move(DAY_S)
    status, output = await env.run_command("stats", "reconcile", "--date", day, "--repair", **tomorrow.variables)
    row.require(f"relay stats reconcile --repair succeeds: {output[-300:]}", status in {0, 1})
    row.may_lose = round(rate * RECORDS_S)
    await compare_counts(row, env, settled_s=3.0)
    succeeded = sum(call.is_success for call in env.calls)
    row.figures["missing_before_repair"] = max(0, succeeded - before)
    row.figures["p99_ms"] = get_percentile([call for call in env.calls if call.status], 0.99)
