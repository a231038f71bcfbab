"""A second relay with the configuration of a running one is refused, and the first goes on."""

import asyncio
import os
import sys

import pytest
import pytest_asyncio
from fixtures.gateway_environment import BANK, LONG_TIMEOUTS
from fixtures.institution import Institution
from fixtures.process_environment import ProcessEnvironment
from fixtures.waiting import START_S

from relay.infra.authority.unix_listener import get_listening_pid

pytestmark = pytest.mark.asyncio(loop_scope="module")


class FixedPortsEnvironment(ProcessEnvironment):
    """A relay with all roles, whose ports stand in its settings."""

    role = "all"
    start_s = 3 * START_S

    def list_files(self):
        """Returns path and inode of sockets, access records and spool."""
        files = [*self.folder.glob("*.sock*"), *self.folder.glob("access*"), *self.folder.glob("spool/**/*")]
        return sorted((str(file), file.stat().st_ino) for file in files)

    def fix_ports(self):
        """Writes the ports of the running relay into its settings."""
        for section, values in (
            ("gateway", {"listeners": [{"address": "127.0.0.1", "port": self.port}]}),
            ("admin", {"port": self.admin_port}),
        ):
            self.sections[section] = self.sections.get(section, {}) | values
        self.write()

    async def start_second(self, role, workers=1):
        """Starts a second relay. Returns its exit status and stderr."""
        command = [sys.executable, "-m", "relay", "serve", "--role", role, "-c", str(self.folder / "relay.yaml")]
        variables = os.environ | {"RELAY__GATEWAY__WORKERS": str(workers)}
        second = await asyncio.create_subprocess_exec(
            *command, cwd=self.root, stderr=asyncio.subprocess.PIPE, env=variables
        )
        async with asyncio.timeout(self.start_s):
            _, output = await second.communicate()
        return second.returncode, output.decode()


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[1, pytest.param(2, marks=pytest.mark.full)], ids=["one", "workers"]
)
async def env(tmp_path_factory, certificates, pytestconfig, request):
    folder = tmp_path_factory.mktemp("env")
    gateway = {
        "workers": request.param,
        "listeners": [{"address": "127.0.0.1", "port": 0}],
        "drain": {"delay_s": 0, "finish_s": 1},
    }
    authority = {"socket": str(folder / "a.sock")}
    institution = Institution(BANK, "bank", timeouts=LONG_TIMEOUTS)
    env = FixedPortsEnvironment(folder, certificates, [institution], gateway=gateway, authority=authority)
    env.root = pytestconfig.rootpath
    try:
        await env.open()
        env.fix_ports()
        yield env
    finally:
        await env.close()


@pytest.mark.parametrize(
    ("role", "workers", "held"),
    [
        ("all", 1, "gateway.listeners[0]: cannot listen on 127.0.0.1:{env.port}"),
        ("all", 2, "admin.port: cannot listen on 127.0.0.1:{env.admin_port}"),
        pytest.param(
            "gateway", 1, "gateway.listeners[0]: cannot listen on 127.0.0.1:{env.port}", marks=pytest.mark.full
        ),
        pytest.param("gateway", 2, "admin.port: cannot listen on 127.0.0.1:{env.admin_port}", marks=pytest.mark.full),
    ],
)
async def test_a_second_gateway_is_refused_with_address_and_process(env, role, workers, held):
    assert (await env.call()).status == 200
    before = env.list_files()
    status, output = await env.start_second(role, workers)
    (line,) = output.splitlines()
    assert status == 2
    assert line == (
        f"relay: {held.format(env=env)}: Address already in use by process {env.child.pid}: "
        "stop it first, or set another port"
    )
    assert env.list_files() == before
    assert (await env.call()).status == 200
    assert (await env.admin("/readyz")).status == 200


@pytest.mark.full  # it waits 10 s for the first to stop
async def test_a_second_authority_is_refused_with_socket_and_process(env):
    before = env.list_files()
    status, output = await env.start_second("authority")
    path = env.folder / "a.sock"
    assert status == 2
    assert output.splitlines()[-1] == (
        f"relay: authority.socket: {path} is in use by process {get_listening_pid(str(path))}: stop that process first"
    )
    assert env.list_files() == before
    assert (await env.admin("/readyz")).status == 200
