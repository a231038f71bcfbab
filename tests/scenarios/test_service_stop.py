"""A service manager signals all processes of the relay at once, as systemd's KillMode=control-group does."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS, request
from fixtures.institution import Institution
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import START_S, until

FAILURES = (OSError, asyncio.IncompleteReadError, TimeoutError)


class ServiceEnvironment(ProcessEnvironment):
    """A relay with all roles as processes."""

    role = "all"
    start_s = 3 * START_S

    def find_processes(self):
        """Returns the ids of the relay's processes: the parent, then its descendants."""
        pids = [self.child.pid]
        for pid in pids:
            with contextlib.suppress(FileNotFoundError):
                for tasks in Path(f"/proc/{pid}/task").iterdir():
                    pids += map(int, (tasks / "children").read_text().split())
        return pids

    def find_workers(self):
        return [
            pid for pid in self.find_processes() if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        ]

    def signal_service(self, number):
        for pid in self.find_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def build_token_call(self):
        fields = {
            "Host": "relay.test",
            "x-api-tran-id": self.make_tran_id(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return request("POST", "/oauth/2.0/token", fields, b"grant_type=password")


class TokenLoad:
    """Token calls without a pause on several connections, until the relay accepts no more connections."""

    def __init__(self, env, clients):
        self._env = env
        self.answered, self.failures = 0, []
        self.answered_while_stopping = 0
        self._tasks = [asyncio.create_task(self._run()) for _ in range(clients)]

    async def wait_refused(self):
        """Waits until every client is refused."""
        await asyncio.gather(*self._tasks)

    async def _run(self):
        while True:
            try:
                connection = await self._env.connect()
            except FAILURES:  # the listeners are closed
                return
            async with connection:
                try:
                    await self._call_repeatedly(connection)
                except FAILURES as error:
                    self.failures.append(repr(error))

    async def _call_repeatedly(self, connection):
        is_open = True
        while is_open:
            answer = await connection.call(self._env.build_token_call())
            if answer.status == 400 and answer.json()["error"] == "invalid_request":  # the authority's answer
                self.answered += 1
            else:
                self.failures.append(answer)
            is_open = answer.headers.get("connection") != "close"
            self.answered_while_stopping += not is_open


@pytest.fixture(params=[1, pytest.param(2, marks=pytest.mark.full)])
async def env(tmp_path, certificates, pytestconfig, request):
    gateway = {
        "workers": request.param,
        "listeners": [{"address": "127.0.0.1", "port": 0}],
        "timeouts": {"handshake_s": 20, "head_s": 20, "body_s": 5, "idle_s": 30},
        "drain": {"delay_s": 1, "finish_s": 5},
    }
    rates = {"authority": {"per_second": 100000, "burst": 100000}}
    institution = Institution(BANK, "bank", timeouts=LONG_TIMEOUTS)
    env = ServiceEnvironment(tmp_path, certificates, [institution], gateway=gateway, rates=rates)
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        yield env
    finally:
        await env.close()


async def test_no_token_call_fails_when_all_processes_are_signalled(env):
    load = TokenLoad(env, 4)
    await until(lambda: load.answered >= 20, "token calls", START_S)
    env.signal_service(signal.SIGTERM)
    await load.wait_refused()
    assert load.failures == []
    assert load.answered_while_stopping
    assert await env.wait_ended() == 0
    assert "stop deferred until the gateway has ended: role=authority" in env.output
    assert "stop deferred until the gateway has ended: role=jobs" in env.output
    assert env.output.index("gateway stopped: ") < env.output.index("authority stopped")


async def test_a_second_signal_to_all_processes_ends_them(env):
    pids = env.find_processes()
    assert len(pids) >= 3

    async def hang(_call, wire):
        await wire.wait_closed()

    env.bank.script = hang
    async with await env.connect() as connection:
        connection.send(env.build_get())
        await until(lambda: env.bank.received, "the call")
        env.signal_service(signal.SIGTERM)
        await env.wait_for_readiness(503)
        env.signal_service(signal.SIGTERM)
        assert await connection.is_closed()
    assert await env.wait_ended() == 0
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the end of all processes")


@pytest.mark.parametrize("env", [pytest.param(2, marks=pytest.mark.full)], indirect=True)
async def test_children_ended_by_a_second_signal_stay_ended(env):
    for pid in env.find_workers():
        os.kill(pid, signal.SIGSTOP)  # the parent waits for it, authority and jobs end at once
    env.signal_service(signal.SIGTERM)
    await env.wait_for_readiness(503)
    env.signal_service(signal.SIGTERM)
    assert await env.wait_ended() == 0
    assert "authority stopped" in env.output
    assert "child process ended" not in env.output


async def test_a_killed_gateway_ends_its_children(env):
    pids = env.find_processes()
    env.child.kill()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the end of all processes")
