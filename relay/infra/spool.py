"""Where counted batches wait on disk while the ledger does not take them: a folder for each process, files of batches.

A file is written whole or not at all (temporary name, fsync, rename), mode 0600, JSON lines: a head with the number of
batches, the ids they stand in the place of, and the SHA-256 of what follows; then a line for each batch. What is in it
are figures and org_codes; no customer, no token. A process holds the lock of its folder as long as it lives: who finds
a folder whose lock is free inherits it.
"""

import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relay.domain.statistics import Batch, Line, Pulse

_log = logging.getLogger(__name__)

_LOCK: Final = "lock"
_FILES: Final = "*.jsonl"
_COUNTS: Final = len(Line._fields) + 1


class Broken(ValueError):
    """A file that does not hold what was written into it."""


@dataclass(slots=True)
class Kept:
    """One file: the ids of its batches, those of them that count still, and those it hides in older files."""

    path: Path
    ids: frozenset[str]
    alive: set[str]
    hides: frozenset[str]


class Shelf:
    """The folder of one process, its lock taken; making one raises BlockingIOError when somebody else has it, OSError.

    A file goes when nothing in it counts still, but never before the older ones of which it hides something: they would
    count again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise
        self._files: list[Kept] = []
        self._number = 0

    @property
    def empty(self) -> bool:
        """Whether nothing in it is open."""
        return not self._files

    def read(self) -> tuple[list[Batch], list[str]]:
        """What stands in it, in order, and the names of files that were set aside as broken."""
        found: list[tuple[Kept, list[Batch]]] = []
        hidden: set[str] = set()
        broken = []
        for path in sorted(self.folder.glob(_FILES)):
            try:
                batches, instead_of = _parsed(path.read_bytes())
            except Broken:
                broken.append(path.rename(path.with_suffix(".bad")).name)
                continue
            ids = frozenset(batch.batch_id for batch in batches)
            found.append((Kept(path, ids, set(ids), instead_of), batches))
            hidden |= instead_of
        for kept, _ in found:
            kept.alive -= hidden
            self._files.append(kept)
        self.tidy()
        return [one for _, batches in found for one in batches if one.batch_id not in hidden], broken

    def write(self, batches: Sequence[Batch], instead_of: Collection[str]) -> None:
        """Keep batches, from now on in the place of others. Raises OSError, and then nothing is kept."""
        self._number += 1
        path = self.folder / f"{self._number:010}.jsonl"
        _written(path, _text(batches, instead_of))
        for kept in self._files:
            kept.alive.difference_update(instead_of)
        ids = frozenset(batch.batch_id for batch in batches)
        self._files.append(Kept(path, ids, set(ids), frozenset(instead_of)))

    def done(self, batch_id: str) -> None:
        """A batch is in the ledger. Raises OSError when a file cannot be removed; the next one tries again."""
        for kept in self._files:
            kept.alive.discard(batch_id)
        self.tidy()

    def close(self) -> None:
        """Let go; a folder in which nothing is left goes too."""
        try:
            if self.empty and [path.name for path in self.folder.iterdir()] == [_LOCK]:
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()
        except FileNotFoundError:
            _log.debug("another process removed the folder")
        finally:
            os.close(self._lock)

    def tidy(self) -> None:
        """Remove what counts no longer. Raises OSError."""
        for kept in list(self._files):
            if not kept.alive and not any(kept.hides & other.ids for other in self._files):
                kept.path.unlink(missing_ok=True)
                self._files.remove(kept)


class Spool:
    """The spool of one process below `folder`, and what it inherits. Blocks: to be called off the event loop."""

    def __init__(self, folder: Path, new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._new_id = new_id
        self._own: Shelf | None = None
        self._inherited: list[Shelf] = []
        self._turn = threading.Lock()

    def inherit(self) -> tuple[list[Batch], list[str]]:
        """Batches of processes that are no more, and the files of theirs that are broken. Raises OSError."""
        batches: list[Batch] = []
        broken: list[str] = []
        with self._turn:
            for folder in sorted(self._folder.glob("*/")) if self._folder.is_dir() else ():
                if not any(folder.glob(_FILES)):
                    continue
                try:
                    shelf = Shelf(folder)
                except (BlockingIOError, FileNotFoundError):  # its process lives, or another one was quicker
                    continue
                found, unreadable = shelf.read()
                self._inherited.append(shelf)
                batches += found
                broken += unreadable
            self._let_go()
        return batches, broken

    def keep(self, batches: Sequence[Batch], instead_of: Collection[str] = ()) -> None:
        """Write batches down, from now on in the place of others. Raises OSError, and then nothing changed."""
        with self._turn:
            if self._own is None:
                self._own = self._shelf()
            self._own.write(batches, instead_of)
            try:
                self._own.tidy()
            except OSError as error:
                _log.warning("a file of the spool cannot be removed (%s); what is in it is known", error.strerror)

    def done(self, batch_id: str) -> None:
        """A batch is in the ledger. Raises OSError when what held it cannot be removed."""
        with self._turn:
            for shelf in (*self._inherited, *([self._own] if self._own else ())):
                shelf.done(batch_id)
            self._let_go()

    def close(self) -> None:
        """Let go of all folders; who starts next inherits what is in them. Raises OSError."""
        with self._turn:
            shelves = [*self._inherited, *([self._own] if self._own else ())]
            self._inherited, self._own = [], None
            for shelf in shelves:
                shelf.close()

    def _let_go(self) -> None:
        for shelf in [one for one in self._inherited if one.empty]:
            self._inherited.remove(shelf)
            shelf.close()

    def _shelf(self) -> Shelf:
        folder = self._folder / self._new_id()
        folder.mkdir(mode=0o700, parents=True)
        return Shelf(folder)


def _written(path: Path, text: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
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
