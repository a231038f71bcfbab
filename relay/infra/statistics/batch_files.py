"""A file of counted batches: written whole or not at all, read only if it holds what was written.

JSON lines, mode 0600: a head with the number of batches, the ids they stand in the place of, and the SHA-256 of what
follows; then a line for each batch. What is in it are figures and org_codes; no customer, no token.
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


class Broken(ValueError):
    """A file that does not hold what was written into it."""


def read_batches(path: Path) -> tuple[list[Batch], frozenset[str]]:
    """Batches of a file and the ids they stand in the place of. Raises Broken, OSError."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
        raise Broken
    return _parsed(path.read_bytes())


def write_batches(path: Path, batches: Sequence[Batch], instead_of: Collection[str]) -> None:
    """Write a file that is there whole or not at all, also after a power cut. Raises OSError: then it is not."""
    text = _text(batches, instead_of)
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


def _text(batches: Sequence[Batch], instead_of: Collection[str]) -> bytes:
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
    head = {"batches": len(batches), "instead_of": sorted(instead_of), "sha256": sha256}
    return json.dumps(head).encode() + b"\n" + lines


def _parsed(text: bytes) -> tuple[list[Batch], frozenset[str]]:
    """Batches of a file and the ids they stand in the place of. Raises Broken."""
    first, _, rest = text.partition(b"\n")
    try:
        head = json.loads(first)
        if head["sha256"] != hashlib.sha256(rest).hexdigest():
            raise Broken
        batches = [_batch(json.loads(line)) for line in rest.splitlines()]
        if len(batches) != head["batches"]:
            raise Broken
        return batches, frozenset(map(str, head["instead_of"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Broken from error


def _batch(row: Any) -> Batch:
    """A batch as it was written. Raises Broken, TypeError, KeyError for what is none."""
    counts: dict[Line, int] = {}
    for one in row["counts"]:
        *words, count = one
        if len(one) != _COUNTS or not all(type(word) is str for word in words) or type(count) is not int or count < 1:
            raise Broken
        counts[Line(*words)] = count
    pulses = {provider: Pulse(*map(int, beats)) for provider, beats in row["pulses"].items()}
    return Batch(str(row["batch_id"]), counts, pulses)
