"""Files of counted batches: written atomically, with a checksum.

JSON lines, mode 0600: a head with the number of batches, the ids that they replace, and the SHA-256 of the rest; then a
line for each batch. They hold figures and org_codes; no customer, no token.
"""

import hashlib
import json
import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from relay.domain.statistics import Batch, Line, Pulse

_COUNTS: Final = len(Line._fields) + 1


class BrokenFile(ValueError):
    """A file whose content is damaged."""


def read_batches(path: Path) -> tuple[list[Batch], frozenset[str]]:
    """Returns the batches of a file and the ids that they replace. Raises BrokenFile, OSError."""
    if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would not end
        raise BrokenFile
    return _parse(path.read_bytes())


def write_batches(path: Path, batches: Sequence[Batch], replaces: Collection[str]) -> None:
    """Writes a file atomically, safe against a power cut. Raises OSError when it was not written."""
    text = _serialize(batches, replaces)
    draft = path.with_suffix(".tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _serialize(batches: Sequence[Batch], replaces: Collection[str]) -> bytes:
    lines = "".join(
        json.dumps(
            {
                "batch_id": batch.batch_id,
                "counts": [[*line, count] for line, count in batch.counts.items()],
                "pulses": batch.pulses,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        + "\n"
        for batch in batches
    ).encode()
    sha256 = hashlib.sha256(lines).hexdigest()
    head = {"batches": len(batches), "instead_of": sorted(replaces), "sha256": sha256}
    return json.dumps(head).encode() + b"\n" + lines


def _parse(text: bytes) -> tuple[list[Batch], frozenset[str]]:
    """Returns the batches of a file and the ids that they replace. Raises BrokenFile."""
    first, _, rest = text.partition(b"\n")
    try:
        head = json.loads(first)
        if head["sha256"] != hashlib.sha256(rest).hexdigest():
            raise BrokenFile
        batches = [_parse_batch(json.loads(line)) for line in rest.splitlines()]
        if len(batches) != head["batches"]:
            raise BrokenFile
        return batches, frozenset(map(str, head["instead_of"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenFile from error


def _parse_batch(row: Any) -> Batch:
    """Returns the batch of a row. Raises BrokenFile, TypeError, KeyError for an invalid row."""
    counts: dict[Line, int] = {}
    for entry in row["counts"]:
        *words, count = entry
        if len(entry) != _COUNTS or not all(type(word) is str for word in words) or type(count) is not int or count < 1:
            raise BrokenFile
        counts[Line(*words)] = count
    pulses = {provider: Pulse(*map(int, numbers)) for provider, numbers in row["pulses"].items()}
    return Batch(str(row["batch_id"]), counts, pulses)
