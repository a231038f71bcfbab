"""Standard error through a queue, and replacement of closed standard descriptors."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self, TextIO

from relay.infra.output.line_file import LineFile
from relay.infra.output.line_writer import Lines, LineWriter, Sink

MAX_LINES: Final = 10_000
MAX_LINE_LENGTH: Final = 65_536
"""Longer lines are cut: bodies do not belong into a log."""
STOP_S: Final = 1.0

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def open_missing_descriptors() -> None:
    """Opens /dev/null for closed descriptors 0 to 2; otherwise the next file or socket would become one of them."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor is this one
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


class QueuedStderr:
    """Context manager that writes `sys.stderr` and logs through a bounded queue on a thread.

    An unread pipe blocks only the thread. Lines without room are counted as `lost` and reported in a log line once
    there is room again. The last lines have `STOP_S`.
    """

    def __init__(self, level: str, label: str = "") -> None:
        """`label` is a `key=value` at the end of each log line; several workers write to one stream."""
        self._level = level
        self._format = f"{_FORMAT} {label}" if label else _FORMAT
        self._writer = LineWriter("stderr", MAX_LINES, lambda _reason: None, self._log_loss)
        self._stream = _Stream(self._writer)
        self._previous: TextIO = sys.stderr
        self._previous_level = logging.WARNING
        self._handler = logging.StreamHandler(self._stream)

    @property
    def lost(self) -> int:
        """Number of lines that were not written."""
        return self._writer.lost

    def __enter__(self) -> Self:
        self._previous = sys.stderr
        self._writer.start(_build_sink(self._previous, is_shared=self._format != _FORMAT))
        sys.stderr = self._stream
        self._handler.setFormatter(logging.Formatter(self._format))
        root = logging.getLogger()
        self._previous_level = root.level
        root.addHandler(self._handler)
        root.setLevel(self._level)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._previous_level)
        self._stream.flush()
        sys.stderr = self._previous
        self._writer.stop(STOP_S)

    def _log_loss(self, lost: int) -> None:
        self._writer.put(Lines(f"log lines lost: count={lost}\n".encode(), 1))


class _Stream(io.TextIOBase):
    """Splits text into lines for the queue. Any thread may write; lines of two threads are not joined."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer
        self._partial = ""

    def writable(self) -> bool:
        """Returns True."""
        return True

    def fileno(self) -> int:
        """Returns the descriptor that child processes inherit."""
        return 2

    def write(self, text: str) -> int:
        """Queues whole lines of a text; keeps the last one without newline for the next text."""
        *lines, rest = (self._partial + text).split("\n")
        self._partial = rest if len(rest) < MAX_LINE_LENGTH else ""
        if not self._partial and rest:
            lines.append(rest)
        if lines:
            self._queue(lines)
        return len(text)

    def flush(self) -> None:
        """Queues a partial line."""
        if self._partial and not self.closed:
            partial, self._partial = self._partial, ""
            self._queue([partial])

    def _queue(self, lines: Sequence[str]) -> None:
        queued = lines[: self._writer.free_places]
        if len(queued) < len(lines):
            self._writer.drop(len(lines) - len(queued))
        if queued:
            text = "".join(f"{line[:MAX_LINE_LENGTH]}\n" for line in queued)
            self._writer.put(Lines(text.encode(errors="backslashreplace"), len(queued)))


class _TextSink:
    """A stream without a descriptor, as in tests."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, batches: Sequence[Lines]) -> tuple[int, OSError | None]:
        """Writes lines to the stream."""
        self._stream.write(b"".join(lines.text for lines in batches).decode())
        self._stream.flush()
        return sum(lines.number for lines in batches), None

    def close(self) -> None:
        """Leaves the stream open: it has another owner."""


def _build_sink(stream: TextIO, *, is_shared: bool) -> Sink:
    try:
        return LineFile.from_descriptor(stream.fileno(), is_shared=is_shared)
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return _TextSink(stream)
