"""The socket of `relay restart`."""

import asyncio
import stat

import pytest

from relay.runtime.processes import restart_socket as module
from relay.runtime.processes.restart_socket import RestartSocket
from relay.runtime.processes.supervisor import ChildNotReady


@pytest.fixture
async def request_restart(tmp_path):
    """Opens a socket with the given restart and returns the lines of an answer to `request`."""
    opened = []

    async def run(restart, request=b"restart\n"):
        opened.append(RestartSocket(tmp_path / "gateway.sock", restart))
        await opened[0].open()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "gateway.sock")
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer.decode().splitlines()

    yield run
    for each in opened:
        await each.close()


async def replace_two(report):
    report("worker 1 replaced")
    report("worker 2 replaced")


async def test_each_worker_is_reported(request_restart, tmp_path):
    assert await request_restart(replace_two) == ["worker 1 replaced", "worker 2 replaced", "done"]
    assert stat.S_IMODE((tmp_path / "gateway.sock").stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [ChildNotReady("worker-1 ended\nwith status 2"), OSError(11, "no process")])
async def test_a_failure_is_the_last_line(request_restart, error):
    async def fail(_report):
        raise error

    (line,) = await request_restart(fail)
    assert line.startswith("failed: ")


async def test_a_stopping_gateway_is_a_failure(request_restart):
    async def cancel(_report):
        raise asyncio.CancelledError

    assert await request_restart(cancel) == ["failed: the gateway stops"]


@pytest.mark.parametrize("request_bytes", [b"stop\n", b"restart", b"x" * 100_000])
async def test_another_request_gets_no_answer(request_restart, request_bytes, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_S", 0.1)

    async def never(_report):
        raise AssertionError

    try:
        assert await request_restart(never, request_bytes) == []
    except ConnectionResetError:
        assert request_bytes != b"stop\n"


async def test_a_peer_that_leaves_ends_no_restart(tmp_path):
    release, replaced = asyncio.Event(), asyncio.Event()

    async def wait(report):
        await release.wait()
        report("worker 1 replaced")
        replaced.set()

    restart_socket = RestartSocket(tmp_path / "gateway.sock", wait)
    await restart_socket.open()
    _, writer = await asyncio.open_unix_connection(tmp_path / "gateway.sock")
    writer.write(b"restart\n")
    await writer.drain()
    writer.transport.abort()
    release.set()
    async with asyncio.timeout(5):
        await replaced.wait()
    await restart_socket.close()
    assert not (tmp_path / "gateway.sock").exists()
