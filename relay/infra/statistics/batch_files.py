"""Files of counted batches: written atomically, with a checksum.

JSON lines, mode 0600: a head with the number of batches, the ids that they replace (`instead_of`), and the SHA-256 of
the rest; then a line for each batch. They hold figures and org_codes; no customer, no token.
"""

import hashlib
import json
import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.statistics.pauses import with_pauses

_ENTRY_LENGTH: Final = len(Line._fields) + 1
_MALFORMED: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class BrokenFile(ValueError):
    """A file whose content is damaged; the text says how."""


def read_batches(path: Path) -> tuple[list[Batch], frozenset[str]]:
    """Returns the batches of a file and the ids that they replace. Raises BrokenFile, OSError."""
    if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would not end
        raise BrokenFile("not a regular file")
    return _parse(path.read_bytes())


def write_batches(path: Path, batches: Sequence[Batch], replaces: Collection[str]) -> None:
    """Writes a file atomically, safe against a power cut. Raises OSError when it was not written."""
    lines = [_serialize(batch) for batch in with_pauses(batches)]
    draft = path.with_suffix(".tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_build_head(lines, replaces))
            file.writelines(lines)
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


def _serialize(batch: Batch) -> bytes:
    """Returns the line of a batch."""
    row = {
        "batch_id": batch.batch_id,
        "counts": [[*line, count] for line, count in batch.counts.items()],
        "pulses": batch.pulses,
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _build_head(lines: Sequence[bytes], replaces: Collection[str]) -> bytes:
    sha256 = hashlib.sha256()
    for line in lines:
        sha256.update(line)
    head = {"batches": len(lines), "instead_of": sorted(replaces), "sha256": sha256.hexdigest()}
    return json.dumps(head).encode() + b"\n"


def _parse(text: bytes) -> tuple[list[Batch], frozenset[str]]:
    """Returns the batches of a file and the ids that they replace. Raises BrokenFile."""
    first, _, rest = text.partition(b"\n")
    try:
        head = json.loads(first)
        sha256, count, replaces = head["sha256"], head["batches"], frozenset(map(str, head["instead_of"]))
    except _MALFORMED as error:
        raise BrokenFile("invalid head") from error
    if sha256 != hashlib.sha256(rest).hexdigest():
        raise BrokenFile("checksum differs")
    try:
        batches = [_parse_batch(json.loads(line)) for line in with_pauses(rest.splitlines())]
    except _MALFORMED as error:
        raise BrokenFile("invalid batch") from error
    if len(batches) != count:
        raise BrokenFile("another number of batches")
    return batches, replaces


def _parse_batch(row: Any) -> Batch:
    """Returns the batch of a row. Raises one of _MALFORMED for an invalid row."""
    counts: dict[Line, int] = {}
    for entry in row["counts"]:
        *words, count = entry
        is_text = all(type(word) is str for word in words)
        if len(entry) != _ENTRY_LENGTH or not is_text or type(count) is not int or count < 1:
            raise ValueError("invalid count")
        counts[Line(*words)] = count
    pulses = {provider: Pulse(*map(int, numbers)) for provider, numbers in row["pulses"].items()}
    return Batch(str(row["batch_id"]), counts, pulses)
