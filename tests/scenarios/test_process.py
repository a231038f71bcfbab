"""`relay serve` as its own process: signals, draining, log output."""

import asyncio
import contextlib
import re
import signal
import sys

import pytest_asyncio
from fixtures.caller import Connection
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, GatewayEnvironment, request
from fixtures.institution import Institution, answers_well
from fixtures.waiting import START_S, TIMEOUT_S, until

READY = re.compile(r"gateway ready: ports=\[(\d+)\] admin_port=(\d+)")


class ProcessEnvironment(GatewayEnvironment):
    """An environment whose relay is its own process, started in `root`."""

    root = None
    child = None

    async def open(self):
        for institution in self.institutions.values():
            await institution.open()
        self.write()
        self.output = ""
        command = [sys.executable, "-m", "relay", "serve", "--role", "gateway", "-c", str(self.folder / "relay.yaml")]
        self.child = await asyncio.create_subprocess_exec(*command, cwd=self.root, stderr=asyncio.subprocess.PIPE)
        self._reading = asyncio.create_task(self._read_output())
        ready = await until(
            lambda: READY.search(self.output) or self.child.returncode, "the relay being ready", START_S
        )
        self.port, self.admin_port = map(int, ready.groups())

    async def _read_output(self):
        while line := await self.child.stderr.readline():
            self.output += line.decode()

    async def wait_ended(self):
        async with asyncio.timeout(TIMEOUT_S):
            await self._reading
            return await self.child.wait()

    async def close(self):
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.kill()
            await self.wait_ended()
        self.ledger_writer.close()
        for institution in self.institutions.values():
            await institution.stop()

    def connect(self, pair=None):
        pair = pair or self.certificates.operators[0]
        return Connection.open(self.port, self.context(pair))

    async def admin(self, path):
        async with await Connection.open(self.admin_port, None) as connection:
            return await connection.call(request("GET", path, {"Host": "admin.test"}))


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
        while (ready := await env.admin("/readyz")).status == 200:
            pass
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
        while (await env.admin("/readyz")).status == 200:
            pass
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
