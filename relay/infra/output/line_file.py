"""Writes whole lines to a file descriptor: all of a line or nothing, as far as the kernel allows."""

import os
import select
import stat
from collections.abc import Sequence
from typing import Final

from relay.infra.output.line_writer import Lines

_IOV_MAX: Final = 1024
"""Maximum number of buffers of one writev on Linux."""

SHARED_BATCH: int = select.PIPE_BUF
"""Maximum bytes of one write to a stream that several processes write to. A pipe mixes the parts of larger writes.

PERF: 0.7 us for a line of 600 bytes, 0.3 us without this limit.
"""


class LineFile:
    """Appends lines to a file or descriptor. Not thread-safe: it belongs to the writing thread.

    A partial line on a full disk is truncated if the descriptor allows it; otherwise (a pipe) its rest is written
    before the next line. So readers never see half a line followed by another.
    """

    def __init__(self, descriptor: int, *, owned: bool, is_shared: bool = False) -> None:
        self._descriptor = descriptor
        self._is_owned = owned
        self._is_shared = is_shared
        self._remainder = b""

    @classmethod
    def open(cls, path: str) -> "LineFile":
        """Opens a file for appending, with mode 0640. Raises OSError, also for a named pipe without a reader."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o640)  # else it would wait for the reader
        os.set_blocking(descriptor, True)
        return cls(descriptor, owned=True)

    @classmethod
    def from_descriptor(cls, descriptor: int, *, is_shared: bool = False) -> "LineFile":
        """Writes to standard output (1) or standard error (2), which stay open.

        If it `is_shared` with other processes, lines of up to SHARED_BATCH bytes are not mixed with theirs.
        """
        return cls(descriptor, owned=False, is_shared=is_shared)

    def write(self, batches: Sequence[Lines]) -> tuple[int, OSError | None]:
        """Appends lines. Returns how many were written, and the error that stopped the others. May block."""
        if self._remainder and (error := self._finish_remainder()) is not None:
            return 0, error
        written = 0
        if self._is_shared:
            batches = _split(batches)
        buffers = 1 if self._is_shared else _IOV_MAX
        for start in range(0, len(batches), buffers):
            part = batches[start : start + buffers]
            sent, error = self._send([lines.text for lines in part])
            if error is not None:
                return written + self._count_whole(part, sent), error
            written += sum(lines.number for lines in part)
        return written, None

    def close(self) -> None:
        """Closes the file, unless it is standard output or error."""
        if self._is_owned:
            os.close(self._descriptor)

    def _finish_remainder(self) -> OSError | None:
        sent, error = self._send([self._remainder])
        self._remainder = self._remainder[sent:]
        return error

    def _send(self, texts: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Returns how many bytes were sent, and the error that stopped the others."""
        sent = 0
        waiting: Sequence[bytes | memoryview] = texts
        while waiting:
            try:
                size = os.writev(self._descriptor, waiting)
            except BlockingIOError:  # another process has set the pipe to non-blocking
                self._wait()
            except OSError as error:
                return sent, error
            else:
                sent += size
                waiting = _skip(waiting, size)
        return sent, None

    def _wait(self) -> None:
        writable = select.poll()
        writable.register(self._descriptor, select.POLLOUT)
        writable.poll()

    def _count_whole(self, batches: Sequence[Lines], sent: int) -> int:
        """Counts whole lines in the first `sent` bytes; truncates a partial line or stores its remainder."""
        whole = 0
        for text, number in batches:
            if sent < len(text):
                end = text.rfind(b"\n", 0, sent) + 1
                return whole + text.count(b"\n", 0, end) + self._end_partial(text, sent, sent - end)
            sent -= len(text)
            whole += number
        return whole

    def _end_partial(self, text: bytes, sent: int, size: int) -> int:
        """Truncates the last `size` bytes, those of a partial line, or stores its remainder. Counts it then."""
        if not size or self._truncate(size):
            return 0
        self._remainder = text[sent : text.index(b"\n", sent) + 1]
        return 1

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


def _skip(texts: Sequence[bytes | memoryview], size: int) -> Sequence[bytes | memoryview]:
    """Returns texts without their first `size` bytes."""
    for index, text in enumerate(texts):
        if size < len(text):
            return [memoryview(text)[size:], *texts[index + 1 :]]
        size -= len(text)
    return []


def _split(batches: Sequence[Lines]) -> Sequence[Lines]:
    """Returns the lines in batches of at most SHARED_BATCH bytes; a longer line is a batch of its own."""
    small: list[Lines] = []
    for text, _ in batches:
        start = 0
        while start < len(text):
            end = text.rfind(b"\n", start, start + SHARED_BATCH) + 1 or text.find(b"\n", start) + 1 or len(text)
            small.append(Lines(text[start:end], text.count(b"\n", start, end)))
            start = end
    return small
