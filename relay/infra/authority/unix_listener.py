"""A listening unix socket that belongs to one process: a lock file beside it says whose it is."""

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
"""So long the process before may take to let go of the socket: it does so as soon as it begins to stop."""
_POLL_S: Final = 0.05
_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred of unix(7)."""


class UnixListener:
    """A path that this process alone may listen on: the lock that goes with it, then the socket.

    The lock is `PATH.lock` (flock): it is freed by the kernel when its process ends, however it ends. The file stays;
    whoever removed it would make room for two owners. `close` removes the socket only while it is the one bound here.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self._path = path
        self._lock = lock
        self._identity: tuple[int, int] | None = None
        self._socket: socket.socket | None = None

    @classmethod
    async def open(cls, path: Path, wait_s: float = WAIT_S) -> Self:
        """Take the lock and remove a former socket that nobody listens on.

        Raises OSError: another process holds the lock after `wait_s`, or listens there, or the path is no socket.
        """
        lock = await _locked(path, wait_s)
        try:
            _remove_stale(path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    def bind(self) -> socket.socket:
        """A socket at the path, for its owner only (mode 0600). Raises OSError."""
        self._socket = _bound(self._path)
        self._identity = _identity(self._path)
        return self._socket

    def close(self) -> None:
        """Remove the socket, when it is ours still, close it and free the lock. Established connections live on."""
        if self._lock < 0:
            return
        if self._socket is not None:
            if _identity(self._path) == self._identity:
                self._path.unlink(missing_ok=True)
            self._socket.close()
        os.close(self._lock)
        self._lock = -1


def listening_pid(path: str) -> int | None:
    """The process that listens on a unix socket, as the kernel tells it; None when nobody takes a connection now."""
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


async def _locked(path: Path, wait_s: float) -> int:
    """The descriptor of the lock, with our pid in its file. Raises OSError."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _lock(lock, path, wait_s)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(lock)
        raise
    return lock


async def _lock(lock: int, path: Path, wait_s: float) -> None:
    ends = asyncio.get_running_loop().time() + wait_s
    waiting = False
    while not _try_lock(lock):
        if not waiting:
            _log.warning("unix socket in use, waiting for its process to stop: path=%s pid=%s", path, _pid(lock))
            waiting = True
        if asyncio.get_running_loop().time() >= ends:
            raise OSError(errno.EADDRINUSE, f"{path} is in use by process {_pid(lock)}: stop that one first")
        await asyncio.sleep(_POLL_S)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(lock: int) -> str:
    return os.pread(lock, 20, 0).decode("ascii", "replace") or "unknown"


def _remove_stale(path: Path) -> None:
    """Remove a socket on which nobody listens. Raises OSError for any other file, and where somebody does listen."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, f"{path} is no socket: move it away, or name another path in authority.socket")
    with socket.socket(socket.AF_UNIX) as trial:
        trial.settimeout(1.0)
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass  # its backlog is full: it listens
    raise OSError(errno.EADDRINUSE, f"another program listens on {path}: stop it first")


def _bound(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    former = os.umask(0o177)  # the gateway runs as we do; no other user may speak in its name
    try:
        made.bind(str(path))
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(former)
    return made


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
