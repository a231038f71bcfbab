"""Access records read back, line by line, from files that may be large, rotated and compressed."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

_LINE_MOST: Final = 65_536
_GZIP: Final = b"\x1f\x8b"


class Unreadable(Exception):
    """A file of records cannot be read, or not to its end; says which and why, in one line."""


def records_in(path: Path) -> Iterator[bytes]:
    """The lines of a file, gz or not (its first bytes tell). Raises Unreadable, maybe after some lines.

    A longer line than any record comes in pieces, none of which is one.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            if packed:
                with gzip.open(raw) as unpacked:
                    yield from _lines(unpacked)
            else:
                yield from _lines(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _lines(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while line := file.readline(_LINE_MOST):
        yield line
