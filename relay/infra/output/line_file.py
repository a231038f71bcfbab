"""Whole lines to a file descriptor: a line is written as a whole or not at all, as far as the kernel allows it."""

import os
import select
import stat
from collections.abc import Sequence

_BATCH: int = 65_536
"""So many bytes go out in one write, so that little is rolled back when the disk is full."""


class LineFile:
    """A file or descriptor that lines are appended to. Not thread-safe: it belongs to the thread that writes.

    A line that a full disk has cut is taken back where the file allows it, and its rest is written first elsewhere
    (a pipe): readers never see half a line followed by another.
    """

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        self._descriptor = descriptor
        self._owned = owned
        self._rest = b""

    @classmethod
    def open(cls, path: str) -> "LineFile":
        """Open a file for appending. It is its owner's and read by its group. Raises OSError."""
        return cls(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640), owned=True)

    @classmethod
    def standard(cls, descriptor: int) -> "LineFile":
        """Write to standard output (1) or standard error (2), which stay open."""
        return cls(descriptor, owned=False)

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Append lines. Returns how many were written whole, and the error that stopped the rest. May block."""
        if self._rest and (error := self._finish_rest()) is not None:
            return 0, error
        done = 0
        for batch in _batches(lines):
            data = b"".join(batch)
            sent, error = self._send(data)
            if error is not None:
                return done + self._settle(batch, data, sent), error
            done += len(batch)
        return done, None

    def close(self) -> None:
        """Close the file."""
        if self._owned:
            os.close(self._descriptor)

    def _finish_rest(self) -> OSError | None:
        sent, error = self._send(self._rest)
        self._rest = self._rest[sent:]
        return error

    def _send(self, data: bytes) -> tuple[int, OSError | None]:
        sent = 0
        view = memoryview(data)
        while sent < len(data):
            try:
                sent += os.write(self._descriptor, view[sent:])
            except BlockingIOError:  # another process has set the pipe to non-blocking
                self._wait()
            except OSError as error:
                return sent, error
        return sent, None

    def _wait(self) -> None:
        writable = select.poll()
        writable.register(self._descriptor, select.POLLOUT)
        writable.poll()

    def _settle(self, batch: Sequence[bytes], data: bytes, sent: int) -> int:
        """Count the whole lines among the first `sent` bytes; take back or remember the line that was cut."""
        whole = ends = 0
        for line in batch:
            if ends + len(line) > sent:
                break
            ends += len(line)
            whole += 1
        torn = sent - ends
        if torn and not self._take_back(torn):
            self._rest = data[sent : ends + len(batch[whole])]
            return whole + 1
        return whole

    def _take_back(self, torn: int) -> bool:
        """Cut the last bytes off, when this is a file and nobody else has appended since."""
        try:
            now = os.fstat(self._descriptor)
            ours = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if not stat.S_ISREG(now.st_mode) or now.st_size != ours:
                return False
            os.ftruncate(self._descriptor, ours - torn)
        except OSError:
            return False
        return True


def _batches(lines: Sequence[bytes]) -> list[list[bytes]]:
    batches: list[list[bytes]] = []
    size = _BATCH
    for line in lines:
        if size + len(line) > _BATCH:
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += len(line)
    return batches
