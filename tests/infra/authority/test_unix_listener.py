import errno
import os
import socket
import stat
import subprocess
import sys

import pytest
from aiohttp import web

from relay.endpoint.connections.limits import ConnectionLimits
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.handlers import build_error_response
from relay.endpoint.serving import open_runner
from relay.infra.authority.unix_listener import UnixListener, get_listening_pid
from relay.policy.settings.scalars import Rate

HOLDER = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, str(os.getpid()).encode(), 0)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sock"


@pytest.fixture
def holder(path):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, f"{path}.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


async def test_a_socket_has_mode_0600_and_is_removed_with_its_listener(path):
    listener = await UnixListener.open(path)
    assert not path.exists()
    listener.bind()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.with_name("a.sock.lock").read_text() == str(os.getpid())
    listener.close()
    assert not path.exists()
    listener.close()


@pytest.mark.parametrize("name", ["nowhere/a.sock", f"{'a' * 120}.sock"])
async def test_a_socket_that_cannot_be_made_names_the_setting(tmp_path, name):
    with pytest.raises(OSError, match=r"authority\.socket: .* cannot be made \(") as raised:
        (await UnixListener.open(tmp_path / name)).bind()
    assert "set a path" in raised.value.strerror


async def test_close_keeps_a_socket_that_another_process_has_bound(path):
    listener = await UnixListener.open(path)
    listener.bind()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(str(path))
        inode = path.stat().st_ino
        listener.close()
        assert path.stat().st_ino == inode


async def test_a_socket_in_use_is_refused_with_the_pid_of_its_process(path, holder, caplog):
    with pytest.raises(OSError, match=rf"gateway\.socket: {path} is in use by process {holder.pid}: stop"):
        await UnixListener.open(path, wait_s=0, setting="gateway.socket")
    assert caplog.messages == [
        f"unix socket in use, waiting for its process to stop: path={path} pid={holder.pid}",
    ]


async def test_the_lock_of_a_killed_process_is_free(path, holder):
    holder.kill()
    listener = await UnixListener.open(path)
    listener.close()


async def test_a_stale_socket_is_replaced(path):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    listener = await UnixListener.open(path)
    listener.bind().listen()
    assert get_listening_pid(str(path)) == os.getpid()
    listener.close()


async def test_a_socket_of_another_program_without_lock_is_kept(path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(OSError, match="another program listens on"):
            await UnixListener.open(path)
        assert get_listening_pid(str(path)) == os.getpid()


async def test_a_socket_of_another_user_is_kept_and_named(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        monkeypatch.setattr(socket.socket, "connect", refuse)
        with pytest.raises(OSError, match=rf"authority\.socket: {path} belongs to another user: stop its process"):
            await UnixListener.open(path)
    assert path.exists()


async def test_a_file_that_is_not_a_socket_is_kept(path):
    path.write_text("notes")
    with pytest.raises(OSError, match="is not a socket"):
        await UnixListener.open(path)
    assert path.read_text() == "notes"
    path.unlink()
    listener = await UnixListener.open(path)  # the failed one has freed the lock
    listener.close()


def test_a_missing_socket_has_no_listening_process(path):
    assert get_listening_pid(str(path)) is None


async def test_a_site_accepts_connections_until_it_is_stopped(path):
    listener = await UnixListener.open(path)
    limits = ConnectionLimits(9, 9, Rate(per_second=9, burst=9))
    async with open_runner(web.Application(), build_error_response) as runner:
        site = LimitedSite(runner, listener.bind(), limits, label="authority")
        await site.start()
        assert get_listening_pid(str(path)) == os.getpid()
        await site.stop()
        assert get_listening_pid(str(path)) is None
        listener.close()
        assert not path.exists()


async def test_an_error_names_the_setting_of_the_path(tmp_path):
    with pytest.raises(OSError, match=r"gateway\.socket: .* cannot be made"):
        await UnixListener.open(tmp_path / "none" / "g.sock", setting="gateway.socket")
    (tmp_path / "g.sock").mkdir()
    with pytest.raises(OSError, match=r"set another path in gateway\.socket"):
        await UnixListener.open(tmp_path / "g.sock", setting="gateway.socket")
