"""Reads regular files only: a FIFO, a socket or a device could keep its reader waiting without end."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_AWAITED: Final[dict[int, str]] = {}
"""The file that a thread is opening or reading, by the thread's identifier."""


def read_file(path: str | Path, most: int = -1) -> bytes:
    """Returns the content of a regular file, at most `most` bytes of it. Raises OSError."""
    with awaiting(path):
        expect_regular(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _expect_regular(os.fstat(descriptor), path)  # it may have been exchanged since
            return file.read(most)


def expect_regular(path: str | Path) -> None:
    """Raises OSError when a path leads to no regular file. Call it before a library opens the file by its path."""
    with awaiting(path):
        _expect_regular(Path(path).stat(), path)


@contextmanager
def awaiting(path: str | Path) -> Iterator[None]:
    """Tells, for as long as the block lasts, which file this thread may be waiting for."""
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
    """Returns the file that a thread is waiting for; "" when it waits for none."""
    return _AWAITED.get(thread or 0, "")


def _expect_regular(status: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
