"""Writes whole lines to a file descriptor: all of a line or nothing, as far as the kernel allows."""

import os
import select
import stat
from collections.abc import Sequence

_BATCH: int = 65_536
"""Maximum bytes of one write, so that little is rolled back when the disk is full."""


class LineFile:
    """Appends lines to a file or descriptor. Not thread-safe: it belongs to the writing thread.

    A partial line on a full disk is truncated if the descriptor allows it; otherwise (a pipe) its rest is written
    before the next line. So readers never see half a line followed by another.
    """

    def __init__(self, descriptor: int, *, owned: bool) -> None:
        self._descriptor = descriptor
        self._is_owned = owned
        self._remainder = b""

    @classmethod
    def open(cls, path: str) -> "LineFile":
        """Opens a file for appending, with mode 0640. Raises OSError."""
        return cls(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640), owned=True)

    @classmethod
    def from_descriptor(cls, descriptor: int) -> "LineFile":
        """Writes to standard output (1) or standard error (2), which stay open."""
        return cls(descriptor, owned=False)

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Appends lines. Returns how many were written, and the error that stopped the others. May block."""
        if self._remainder and (error := self._finish_remainder()) is not None:
            return 0, error
        written = 0
        for batch in _batches(lines):
            data = b"".join(batch)
            sent, error = self._send(data)
            if error is not None:
                return written + self._count_whole(batch, data, sent), error
            written += len(batch)
        return written, None

    def close(self) -> None:
        """Closes the file, unless it is standard output or error."""
        if self._is_owned:
            os.close(self._descriptor)

    def _finish_remainder(self) -> OSError | None:
        sent, error = self._send(self._remainder)
        self._remainder = self._remainder[sent:]
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

    def _count_whole(self, batch: Sequence[bytes], data: bytes, sent: int) -> int:
        """Counts whole lines in the first `sent` bytes; truncates a partial line or stores its remainder."""
        whole = end = 0
        for line in batch:
            if end + len(line) > sent:
                break
            end += len(line)
            whole += 1
        partial = sent - end
        if partial and not self._truncate(partial):
            self._remainder = data[sent : end + len(batch[whole])]
            return whole + 1
        return whole

    def _truncate(self, size: int) -> bool:
        """Removes the last bytes if this is a regular file and no other process appended since."""
        try:
            status = os.fstat(self._descriptor)
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            if not stat.S_ISREG(status.st_mode) or status.st_size != end:
                return False
            os.ftruncate(self._descriptor, end - size)
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
