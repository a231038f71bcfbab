"""`relay serve` as its own process: signals, draining, log output."""

import asyncio
import itertools
import re
import signal
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution, answers_well
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import START_S, until


@pytest_asyncio.fixture
async def env(tmp_path, certificates, pytestconfig):
    drain = {"listeners": [{"address": "127.0.0.1", "port": 0}], "drain": {"delay_s": 0.5, "finish_s": 5}}
    env = ProcessEnvironment(tmp_path, certificates, [Institution(BANK, "bank", timeouts=LONG_TIMEOUTS)], gateway=drain)
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        yield env
    finally:
        await env.close()


async def test_sigterm_drains_open_calls_and_reports_not_ready(env):
    release = asyncio.Event()

    async def wait_for_release(call, wire):
        await release.wait()
        await answers_well(call, wire)

    async with await env.connect() as old, await env.connect() as idle, await env.connect() as late:
        assert "connection" not in (await idle.call(env.build_get())).headers
        env.bank.script = wait_for_release
        old.send(env.build_get())
        await until(lambda: len(env.bank.received) == 2, "the call")
        env.child.send_signal(signal.SIGTERM)
        ready = await env.wait_for_readiness(503)
        assert (ready.status, ready.json()["missing"]) == (503, ["stopping"])
        assert (await env.admin("/healthz")).status == 200
        env.bank.script = answers_well
        async with await env.connect() as new:
            answer = await new.call(env.build_get())
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await new.is_closed()
        assert await idle.is_closed()
        release.set()
        answer = await old.read_answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await late.is_closed()
    assert await env.wait_ended() == 0
    assert "gateway stopped: calls_in_flight=0" in env.output


async def test_a_second_sigterm_stops_at_once(env):
    async def wait_for_release(_call, wire):
        await wire.wait_closed()

    env.bank.script = wait_for_release
    async with await env.connect() as connection:
        connection.send(env.build_get())
        await until(lambda: env.bank.received, "the call")
        env.child.send_signal(signal.SIGTERM)
        await env.wait_for_readiness(503)
        env.child.send_signal(signal.SIGTERM)
        assert await connection.is_closed()
    assert await env.wait_ended() == 0


async def test_sighup_applies_the_settings_and_logs_it(env):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
        env.write_file("directory.yaml", {"operators": []})
        env.child.send_signal(signal.SIGHUP)
        await until(lambda: re.search(r"settings applied: role=gateway plan=[0-9a-f]{12}", env.output), "the new plan")
        assert (await connection.call(env.build_get())).rsp_code == "40103"
        env.write_file("directory.yaml", {"operators": 1})
        env.child.send_signal(signal.SIGHUP)
        await until(lambda: "settings rejected" in env.output, "the rejected settings being logged")
        assert (await connection.call(env.build_get())).rsp_code == "40103"
    assert "directory.yaml" in env.output
    assert "Traceback" not in env.output


async def test_it_does_not_start_with_invalid_settings(env):
    env.write_file("directory.yaml", {"operators": 1})
    command = [sys.executable, "-m", "relay", "serve", "-c", str(env.folder / "relay.yaml")]
    child = await asyncio.create_subprocess_exec(*command, cwd=env.root, stderr=asyncio.subprocess.PIPE)
    _, output = await child.communicate()
    assert child.returncode == 2
    assert b"directory.yaml" in output
    assert b"Traceback" not in output


def read_signals(pid, field):
    """Returns the signals that a process blocks (SigBlk) or handles (SigCgt)."""
    (mask,) = re.findall(rf"{field}:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return {number for number in signal.Signals if int(mask, 16) >> (number - 1) & 1}


def list_early_stops():
    """Returns each role, moment and signal. Half of them run in the full suite only."""
    cases = itertools.product(("gateway", "all"), ("SigBlk", "SigCgt"), (signal.SIGTERM, signal.SIGINT))
    usual = {("gateway", "SigBlk", signal.SIGINT), ("all", "SigBlk", signal.SIGTERM), ("all", "SigCgt", signal.SIGTERM)}
    return [case if case in usual else pytest.param(*case, marks=pytest.mark.full) for case in cases]


@pytest.mark.parametrize(("role", "field", "number"), list_early_stops())
async def test_a_stop_during_the_start_ends_the_relay_regularly(env, number, field, role):
    command = [sys.executable, "-m", "relay", "serve", "--role", role, "-c", str(env.folder / "relay.yaml")]
    child = await asyncio.create_subprocess_exec(*command, cwd=env.root, stderr=asyncio.subprocess.PIPE)
    await until(lambda: signal.SIGTERM in read_signals(child.pid, field), "the begin of its start", START_S)
    child.send_signal(number)
    async with asyncio.timeout(START_S):
        _, output = await child.communicate()
    assert (child.returncode, b"Traceback" in output) == (0, False)


async def test_signals_of_other_servers_do_not_end_the_relay(env):
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        env.child.send_signal(number)
    assert (await env.admin("/healthz")).status == 200
