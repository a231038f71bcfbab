"""Reads regular files only: a FIFO, socket or device could block its reader forever."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_AWAITED: Final[dict[int, str]] = {}
"""The file that each thread is opening or reading, by thread identifier."""


def read_file(path: str | Path, max_bytes: int = -1) -> bytes:
    """Returns at most `max_bytes` bytes of a regular file (-1: all). Raises OSError."""
    with awaiting(path):
        require_regular_file(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _expect_regular(os.fstat(descriptor), path)  # the file may have been replaced
            return file.read(max_bytes)


def describe_read_error(path: str | Path, error: OSError) -> str:
    """Returns a line for people: which file cannot be read, and why."""
    return f"the file {path} cannot be read ({error.strerror or type(error).__name__})"


def require_regular_file(path: str | Path) -> None:
    """Raises OSError if a path is not a regular file. Call it before a library opens the path."""
    with awaiting(path):
        _expect_regular(Path(path).stat(), path)


@contextmanager
def awaiting(path: str | Path) -> Iterator[None]:
    """Records for the block which file this thread may wait for; see `awaited_file`."""
    thread = threading.get_ident()
    former = _AWAITED.get(thread)
    _AWAITED[thread] = str(path)
    try:
        yield
    finally:
        if former is None:
            del _AWAITED[thread]
        else:
            _AWAITED[thread] = former


def awaited_file(thread: int | None) -> str:
    """Returns the file that a thread is waiting for, "" for none."""
    return _AWAITED.get(thread or 0, "")


def _expect_regular(status: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
