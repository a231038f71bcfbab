"""A listening Unix socket that one process owns, secured by a lock file beside it."""

import asyncio
import errno
import fcntl
import logging
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final, Self

_log = logging.getLogger(__name__)

WAIT_S: Final = 10.0
"""How long the previous process may take to release the socket. It does so as soon as it begins to stop."""
_POLL_S: Final = 0.05
_SETTING: Final = "authority.socket"
_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred of unix(7)."""


class UnixListener:
    """A path on which only this process may listen. `open` takes its lock, `bind` makes the socket.

    The lock is `PATH.lock` (flock): the kernel frees it when its process ends, however it ends. The file stays: if it
    were removed, two processes could hold a lock. `close` removes the socket only if it is still the one bound here.
    """

    def __init__(self, path: Path, lock: int, setting: str = _SETTING) -> None:
        self._path = path
        self._setting = setting
        self._lock = lock
        self._identity: tuple[int, int] | None = None
        self._socket: socket.socket | None = None

    @classmethod
    async def open(cls, path: Path, wait_s: float = WAIT_S, setting: str = _SETTING) -> Self:
        """Takes the lock and removes a stale socket. `setting` is the key of the path, for errors.

        Raises OSError: after `wait_s` another process holds the lock, or a process listens there, or it is no socket.
        """
        lock = await _open_lock(path, wait_s, setting)
        try:
            _remove_stale(path, setting)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock, setting)

    def bind(self) -> socket.socket:
        """Returns a socket bound to the path, for its owner only (mode 0600). Raises OSError."""
        self._socket = _bind(self._path, self._setting)
        self._identity = _get_identity(self._path)
        return self._socket

    def close(self) -> None:
        """Removes the socket if it is still ours, closes it and frees the lock. Established connections stay open."""
        if self._lock < 0:
            return
        if self._socket is not None:
            if _get_identity(self._path) == self._identity:
                self._path.unlink(missing_ok=True)
            self._socket.close()
        os.close(self._lock)
        self._lock = -1


def get_listening_pid(path: str) -> int | None:
    """Returns the id of the process that listens on a Unix socket; None if no process accepts connections."""
    with socket.socket(socket.AF_UNIX) as trial:
        trial.setblocking(False)
        try:
            trial.connect(path)
            pid: int
            pid, _uid, _gid = _CREDENTIALS.unpack(
                trial.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
        except OSError:
            return None
    return pid


async def _open_lock(path: Path, wait_s: float, setting: str) -> int:
    """Takes the lock and writes our pid to its file. Returns the descriptor. Raises OSError."""
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _name_setting(setting, lock_path, error) from error
    try:
        await _wait_for_lock(lock, path, wait_s, setting)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


async def _wait_for_lock(lock: int, path: Path, wait_s: float, setting: str) -> None:
    deadline = asyncio.get_running_loop().time() + wait_s
    is_logged = False
    while not _try_lock(lock):
        if not is_logged:
            _log.warning("unix socket in use, waiting for its process to stop: path=%s pid=%s", path, _read_pid(lock))
            is_logged = True
        if asyncio.get_running_loop().time() >= deadline:
            owner = f"process {_read_pid(lock)}"
            raise OSError(errno.EADDRINUSE, f"{setting}: {path} is in use by {owner}: stop that process first")
        await asyncio.sleep(_POLL_S)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_pid(lock: int) -> str:
    return os.pread(lock, 20, 0).decode("ascii", "replace") or "unknown"


def _remove_stale(path: Path, setting: str) -> None:
    """Removes a socket on which no process listens. Raises OSError if a process listens or the file is no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, f"{path} is not a socket: move it away, or set another path in {setting}")
    with socket.socket(socket.AF_UNIX) as trial:
        trial.settimeout(1.0)
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass  # its backlog is full: it listens
        except PermissionError as error:
            to_do = "stop its process and remove it, or set another path"
            raise OSError(errno.EACCES, f"{setting}: {path} belongs to another user: {to_do}") from error
    raise OSError(errno.EADDRINUSE, f"{setting}: another program listens on {path}: stop it first")


def _bind(path: Path, setting: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    umask = os.umask(0o177)  # the gateway runs as the same user; no other user may call in its name
    try:
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        raise _name_setting(setting, path, error) from error
    except BaseException:
        listening.close()
        raise
    finally:
        os.umask(umask)
    return listening


def _name_setting(setting: str, path: Path, error: OSError) -> OSError:
    """Returns the error of a file that cannot be made, with the setting and what to do."""
    problem = f"{setting}: {path} cannot be made ({error.strerror or error})"
    to_do = "let the relay write to its folder, or set a path in a folder where it may"
    return OSError(error.errno or errno.EINVAL, f"{problem}: {to_do}")


def _get_identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
