"""Lines through a bounded queue to a thread: writing never blocks the thread that has something to write."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

_EVERY_S: Final = 0.2
QUIET_S: Final = 1.0
STOP_S: Final = 2.0
"""So long the last lines may take. A pipe that is not read keeps no process from ending."""


class Sink(Protocol):
    """Where lines go. `LineFile` is one."""

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write lines. Returns how many were written, and the error that stopped the rest. May block."""

    def close(self) -> None:
        """Close it."""


class LineWriter:
    """Writes queued lines to a sink on a thread of its own. At most `most` lines wait; more are counted as `lost`.

    `began` hears the reason when lines begin to be lost; `ended` hears how many were lost, once lines are written and
    none was lost for `QUIET_S`. `began` is called by whichever thread notices, `ended` by the writer's.
    """

    def __init__(
        self,
        name: str,
        most: int,
        began: Callable[[str], None],
        ended: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._began = began
        self._ended = ended
        self._clock = clock
        self._queue: deque[bytes | Callable[[Sink], Sink]] = deque()
        self._sink: Sink | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._failing = False
        self._loss: tuple[int, float] | None = None
        self._in_hand = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.lost = 0
        self.written = 0

    @property
    def room(self) -> int:
        """How many lines may be queued now."""
        return max(0, self._most - len(self._queue))

    def start(self, sink: Sink) -> None:
        """Begin to write to a sink, which the writer closes at its end."""
        self._sink = sink
        self._thread.start()

    def stop(self, patience_s: float = STOP_S) -> None:
        """Write what waits and close; after `patience_s` give up and count what was not written as lost."""
        self._stopping = True
        self._wake.set()
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self._lose(self._in_hand + len(self._queue), "not read to the end")

    def put(self, lines: Sequence[bytes], refused: int = 0) -> None:
        """Queue lines for which there is `room`; they are written within `_EVERY_S`. `refused` found none."""
        if refused:
            self._lose(refused, "the queue is full")
        self._queue.extend(lines)

    def hurry(self) -> None:
        """Write what is queued now."""
        self._wake.set()

    def exchange(self, change: Callable[[Sink], Sink]) -> None:
        """Let the thread go on with the sink that `change` returns for the present one, behind the queued lines."""
        self._queue.append(change)
        self._wake.set()

    def write_queued(self) -> None:
        """Write what is queued, and tell when lines are no longer lost; what the thread does again and again."""
        lines: list[bytes] = []
        for _ in range(len(self._queue)):
            item = self._queue.popleft()
            if isinstance(item, bytes):
                lines.append(item)
                continue
            self._write(lines)
            lines = []
            if self._sink is not None:
                self._sink = item(self._sink)
        self._write(lines)
        if self._loss is not None and not self._failing and self._clock() - self._loss[1] >= QUIET_S:
            lost, self._loss = self.lost - self._loss[0], None
            self._ended(lost)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            self.write_queued()
        self.write_queued()
        if self._sink is not None:
            self._sink.close()

    def _write(self, lines: Sequence[bytes]) -> None:
        if not lines or self._sink is None:
            return
        self._in_hand = len(lines)
        done, error = self._sink.write(lines)
        self._in_hand = 0
        self.written += done
        self._failing = error is not None
        if error is not None:
            self._lose(len(lines) - done, error.strerror or type(error).__name__)

    def _lose(self, count: int, why: str) -> None:
        before = self._loss
        self._loss = (self.lost if before is None else before[0], self._clock())
        self.lost += count
        if before is None:
            self._began(why)
