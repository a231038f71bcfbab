"""Writes one JSON line for each exchange, through a bounded queue, off the event loop."""

import logging
from collections.abc import Sequence
from typing import Final

from relay.domain.exchange import Exchange
from relay.infra.output.line_file import LineFile
from relay.infra.output.line_writer import Lines, LineWriter, Sink

try:
    from relay.infra.records._record_format import format_records
except ImportError:  # installed without a compiler
    from relay.infra.records.record_format import format_records

_log = logging.getLogger(__name__)

_STDOUT: Final = "stdout"


class AccessLog:
    """Writes access records to a file or `stdout`. At most `max_lines` lines wait; more are counted as `lost`.

    A record has tran_id, org codes, client_id, api_code, x-api-type, status, reason, times in ms, sizes, attempts. It
    never has a token, a CI, an account number or a body. One log line reports the first loss, another one its end.
    Nothing here blocks the caller: a thread opens, writes and closes. Workers share `stdout` (`is_shared`).
    """

    def __init__(self, path: str, max_lines: int, *, is_shared: bool = False) -> None:
        self._path = path
        self._is_shared = is_shared
        self._writer = LineWriter("access-log", max_lines, self._log_loss, self._log_end)

    @property
    def lost(self) -> int:
        """Number of records that were not written."""
        return self._writer.lost

    @property
    def written(self) -> int:
        """Number of records that were written."""
        return self._writer.written

    def start(self) -> None:
        """Opens the file (raises OSError) and begins to write."""
        self._writer.start(self._open())

    def stop(self) -> None:
        """Writes waiting records and closes; records not written within two seconds are lost."""
        self._writer.stop()

    def reopen(self) -> None:
        """Makes the thread reopen the file, so that it can be rotated by renaming. The old file stays on failure."""
        if self._path != _STDOUT:
            self._writer.replace_sink(self._reopen)

    def write(self, exchanges: Sequence[Exchange]) -> None:
        """Queues a line for each exchange while there is room. PERF: 2 us for each; logging.info costs 15."""
        lost = len(exchanges) - self._writer.free_places
        if lost > 0:
            exchanges = exchanges[:-lost]
            self._writer.drop(lost)
        if exchanges:
            self._writer.put(Lines(format_records(exchanges), len(exchanges)))

    def _open(self) -> LineFile:
        if self._path == _STDOUT:
            return LineFile.from_descriptor(1, is_shared=self._is_shared)
        return LineFile.open(self._path)

    def _reopen(self, old: Sink) -> Sink:
        try:
            new = self._open()
        except OSError as error:
            _log.error("access log not reopened, the old file stays: path=%s reason=%s", self._path, error.strerror)
            return old
        try:
            old.close()
        except OSError as error:
            _log.warning("old access log not closed cleanly: path=%s reason=%s", self._path, error.strerror)
        return new

    def _log_loss(self, reason: str) -> None:
        _log.error("access records lost: path=%s reason=%s", self._path, reason)

    def _log_end(self, lost: int) -> None:
        _log.warning("access records written again: path=%s lost=%d", self._path, lost)
