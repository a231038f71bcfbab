"""Liveness and readiness of a gateway with two workers, whose processes are stopped (SIGSTOP) and go on."""

import asyncio
import os
import signal

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import START_S, until

from relay.infra.authority.unix_listener import get_listening_pid

pytestmark = pytest.mark.asyncio(loop_scope="module")


class AllRoles(ProcessEnvironment):
    """An environment whose relay has all roles."""

    role = "all"
    start_s = 3 * START_S

    async def wait_for_liveness(self, status):
        """Returns the first answer of /healthz with this status."""
        async with asyncio.timeout(self.start_s):
            while (answer := await self.admin("/healthz")).status != status:  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0.05)
        return answer

    def find_worker(self):
        """Returns the id of one worker."""
        for line in self.output.splitlines():
            if "worker ready: pid=" in line:
                return int(line.partition("pid=")[2].split()[0])
        return None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def env(tmp_path_factory, certificates, pytestconfig):
    folder = tmp_path_factory.mktemp("env")
    gateway = {
        "workers": 2,
        "listeners": [{"address": "127.0.0.1", "port": 0}],
        "drain": {"delay_s": 0, "finish_s": 1},
    }
    sections = {"gateway": gateway, "health": {"stall_s": 2}, "authority": {"socket": str(folder / "a.sock")}}
    env = AllRoles(folder, certificates, [Institution(BANK, "bank", timeouts=LONG_TIMEOUTS)], **sections)
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        await env.wait_for_readiness(200)
        yield env
    finally:
        await env.close()


async def test_a_worker_that_stands_still_fails_the_liveness(env):
    worker = await until(env.find_worker, "a worker")
    await env.wait_for_liveness(200)
    os.kill(worker, signal.SIGSTOP)
    try:
        assert (await env.wait_for_liveness(503)).json() == {"status": "stalled"}
    finally:
        os.kill(worker, signal.SIGCONT)
    await env.wait_for_liveness(200)


@pytest.mark.full  # an authority is silent after 10 s
async def test_an_authority_that_stands_still_fails_the_readiness(env):
    authority = get_listening_pid(str(env.folder / "a.sock"))
    os.kill(authority, signal.SIGSTOP)
    try:
        assert (await env.wait_for_readiness(503)).json()["missing"] == ["authority"]
    finally:
        os.kill(authority, signal.SIGCONT)
    await env.wait_for_readiness(200)
    await env.wait_for_liveness(200)
