"""Standard error through a queue, and descriptors that stay what they are called."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self, TextIO

from relay.infra.output.line_file import LineFile
from relay.infra.output.line_writer import LineWriter, Sink

LINES_MOST: Final = 10_000
LINE_MOST: Final = 65_536
"""A longer line is cut: a log is no place for bodies."""
STOP_S: Final = 1.0

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def open_missing_descriptors() -> None:
    """Open /dev/null in place of closed descriptors 0 to 2: the next file or socket would be taken for one of them."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free one: this one
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


class QueuedStderr:
    """Everything that is written to `sys.stderr` and logged, through a bounded queue to a thread, while it is entered.

    A pipe that is not read blocks the thread alone. What finds no room is counted as `lost` and told in a line of its
    own when there is room again. At the end the last lines have `STOP_S`.
    """

    def __init__(self, level: str) -> None:
        self._level = level
        self._writer = LineWriter("stderr", LINES_MOST, lambda _why: None, self._tell_loss)
        self._stream = _Stream(self._writer)
        self._former: TextIO = sys.stderr
        self._former_level = logging.WARNING
        self._handler = logging.StreamHandler(self._stream)

    @property
    def lost(self) -> int:
        """How many lines were not written."""
        return self._writer.lost

    def __enter__(self) -> Self:
        self._former = sys.stderr
        self._writer.start(_sink_of(self._former))
        sys.stderr = self._stream
        self._handler.setFormatter(logging.Formatter(_FORMAT))
        root = logging.getLogger()
        self._former_level = root.level
        root.addHandler(self._handler)
        root.setLevel(self._level)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._former_level)
        self._stream.flush()
        sys.stderr = self._former
        self._writer.stop(STOP_S)

    def _tell_loss(self, lost: int) -> None:
        self._writer.put([f"log lines lost: count={lost}\n".encode()])


class _Stream(io.TextIOBase):
    """Text in, whole lines to the queue. Belongs to any thread: a line that two of them write is two lines."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer
        self._begun = ""

    def writable(self) -> bool:
        """Whether it may be written to."""
        return True

    def fileno(self) -> int:
        """The descriptor that children inherit."""
        return 2

    def write(self, text: str) -> int:
        """Queue the lines of a text; what does not end in a newline waits for the next text."""
        *lines, rest = (self._begun + text).split("\n")
        self._begun = rest if len(rest) < LINE_MOST else ""
        if not self._begun and rest:
            lines.append(rest)
        if lines:
            self._queue(lines)
        return len(text)

    def flush(self) -> None:
        """Queue what waits for its end."""
        if self._begun and not self.closed:
            begun, self._begun = self._begun, ""
            self._queue([begun])

    def _queue(self, lines: Sequence[str]) -> None:
        room = self._writer.room
        taken = [f"{line[:LINE_MOST]}\n".encode(errors="backslashreplace") for line in lines[:room]]
        self._writer.put(taken, max(0, len(lines) - room))
        self._writer.hurry()


class _TextSink:
    """A stream without a descriptor, as tests have."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write lines to the stream."""
        self._stream.write(b"".join(lines).decode())
        self._stream.flush()
        return len(lines), None

    def close(self) -> None:
        """Leave the stream open: it is not ours."""


def _sink_of(stream: TextIO) -> Sink:
    try:
        return LineFile.standard(stream.fileno())
    except (OSError, ValueError):  # io.UnsupportedOperation is both
        return _TextSink(stream)
