"""Reads access records line by line from files that may be large, rotated and compressed."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

_MAX_LINE_BYTES: Final = 65_536
_GZIP: Final = b"\x1f\x8b"


class UnreadableFile(Exception):
    """A file of records cannot be read completely. The text names the file and the reason, in one line."""


def read_records(path: Path) -> Iterator[bytes]:
    """Yields the lines of a file, gzip or not, by its first bytes. Raises UnreadableFile, maybe after some lines.

    A line that is longer than any record is split; none of its pieces is a record.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            if is_gzip:
                with gzip.open(raw) as unpacked:
                    yield from _lines(unpacked)
            else:
                yield from _lines(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE_BYTES):
        yield line
