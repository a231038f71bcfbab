"""Where counted batches wait on disk while the ledger does not take them: a folder for each process, files of batches.

A process holds the lock of its folder as long as it lives: who finds a folder whose lock is free inherits it.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relay.domain.statistics import Batch
from relay.infra.statistics.batch_files import Broken, read_batches, write_batches

_log = logging.getLogger(__name__)

_LOCK: Final = "lock"
_SUFFIX: Final = ".jsonl"


@dataclass(slots=True)
class Kept:
    """One file: the ids of its batches, those of them that count still, and those it hides in older files."""

    path: Path
    ids: frozenset[str]
    alive: set[str]
    hides: frozenset[str]


@dataclass(slots=True)
class Found:
    """What was found: batches in order, files that are broken and where they are now, what cannot be read and why."""

    batches: list[Batch] = field(default_factory=list)
    broken: list[Path] = field(default_factory=list)
    unread: dict[Path, str] = field(default_factory=dict)


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
        self._unread: set[Path] = set()
        self._bad: set[Path] = set()
        self._number = 0

    @property
    def empty(self) -> bool:
        """Whether nothing in it is open."""
        return not self._files and not self._unread and not self._bad

    def read(self, found: Found) -> None:
        """Add to `found` what stands in it and was not read before.

        What is older than a file that cannot be read waits for it: it may be hidden by it, and would count twice. When
        it still cannot be read the next time, it is set aside as if it were broken.
        """
        before, self._unread = self._unread, set()
        fresh: list[tuple[Kept, list[Batch]]] = []
        known = {kept.path for kept in self._files} | self._bad
        try:
            paths = [path for path in _files_in(self.folder) if path not in known]
        except OSError as error:
            self._leave(self.folder, error, found)
            return
        for path in reversed(paths):
            try:
                batches, instead_of = read_batches(path)
            except FileNotFoundError:
                continue
            except Broken:
                if not _set_aside(path, found):
                    self._bad.add(path)
                    found.broken.append(path)
            except OSError as error:
                if path not in before or path == paths[0] or not _set_aside(path, found):
                    self._leave(path, error, found)
                    break
            else:
                ids = frozenset(batch.batch_id for batch in batches)
                fresh.append((Kept(path, ids, set(ids), instead_of), batches))
        self._take(fresh[::-1], found)

    def _take(self, fresh: Sequence[tuple[Kept, list[Batch]]], found: Found) -> None:
        """Take files that are older than all taken before."""
        self._files[:0] = [kept for kept, _ in fresh]
        hidden = frozenset().union(*(kept.hides for kept in self._files))
        for kept, _ in fresh:
            kept.alive -= hidden
        found.batches += [one for _, batches in fresh for one in batches if one.batch_id not in hidden]
        try:
            self.tidy()
        except OSError as error:
            _stays(error)

    def _leave(self, path: Path, error: OSError, found: Found) -> None:
        """Leave what cannot be read for the next time. What vanished is no more: another process was done with it."""
        if not isinstance(error, FileNotFoundError):
            self._unread.add(path)
            found.unread[path] = _why(error)

    def write(self, batches: Sequence[Batch], instead_of: Collection[str]) -> None:
        """Keep batches, from now on in the place of others. Raises OSError, and then nothing is kept."""
        self._number += 1
        path = self.folder / f"{self._number:010}.jsonl"
        write_batches(path, batches, instead_of)
        for kept in self._files:
            kept.alive.difference_update(instead_of)
        ids = frozenset(batch.batch_id for batch in batches)
        self._files.append(Kept(path, ids, set(ids), frozenset(instead_of)))

    def done(self, batch_id: str) -> None:
        """A batch is in the ledger; `tidy` removes what counts no longer."""
        for kept in self._files:
            kept.alive.discard(batch_id)

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
        """Remove what counts no longer, what may hide something in a file that cannot be read aside.

        Raises OSError when some of it cannot be removed; the next time tries again.
        """
        failed: OSError | None = None
        for kept in list(self._files):
            if kept.alive or (kept.hides and self._unread) or any(kept.hides & other.ids for other in self._files):
                continue
            try:
                kept.path.unlink(missing_ok=True)
            except OSError as error:
                failed = error
            else:
                self._files.remove(kept)
        if failed is not None:
            raise failed


class Spool:
    """The spool of one process below `folder`, and what it inherits. Blocks: to be called off the event loop."""

    def __init__(self, folder: Path, new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._new_id = new_id
        self._own: Shelf | None = None
        self._inherited: list[Shelf] = []
        self._turn = threading.Lock()

    def inherit(self) -> Found:
        """What processes left that are no more, as far as it was not found before. To be called again now and then.

        Each folder and file by itself: what cannot be read keeps nothing else from being found.
        """
        found = Found()
        with self._turn:
            for shelf in self._inherited:
                shelf.read(found)
            for folder in self._folders(found):
                try:
                    shelf = Shelf(folder)
                except (BlockingIOError, FileNotFoundError):  # its process lives, or another one was quicker
                    continue
                except OSError as error:
                    found.unread[folder] = _why(error)
                    continue
                self._inherited.append(shelf)
                shelf.read(found)
            self._let_go()
        return found

    def _folders(self, found: Found) -> list[Path]:
        """Folders of others with files in them; what cannot be listed is added to `found`."""
        held = {shelf.folder for shelf in self._shelves()}
        try:
            folders = sorted(path for path in self._folder.iterdir() if path not in held)
        except FileNotFoundError:  # nothing was ever kept
            return []
        except OSError as error:
            found.unread[self._folder] = _why(error)
            return []
        return [folder for folder in folders if _has_files(folder, found)]

    def _shelves(self) -> list[Shelf]:
        return [*self._inherited, *([self._own] if self._own else ())]

    def keep(self, batches: Sequence[Batch], instead_of: Collection[str] = ()) -> None:
        """Write batches down, from now on in the place of others. Raises OSError, and then nothing changed."""
        with self._turn:
            if self._own is None:
                self._own = self._shelf()
            self._own.write(batches, instead_of)
            try:
                self._own.tidy()
            except OSError as error:
                _stays(error)

    def done(self, batch_id: str) -> None:
        """A batch is in the ledger. Raises OSError when what held it cannot be removed."""
        with self._turn:
            for shelf in self._shelves():
                shelf.done(batch_id)
            failed: OSError | None = None
            for shelf in self._shelves():
                try:
                    shelf.tidy()
                except OSError as error:
                    failed = error
            self._let_go()
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Let go of all folders; who starts next inherits what is in them. Raises OSError."""
        with self._turn:
            shelves = self._shelves()
            self._inherited, self._own = [], None
            for shelf in shelves:
                shelf.close()

    def _let_go(self) -> None:
        for shelf in [one for one in self._inherited if one.empty]:
            self._inherited.remove(shelf)
            try:
                shelf.close()
            except OSError as error:
                _stays(error)

    def _shelf(self) -> Shelf:
        folder = self._folder / self._new_id()
        folder.mkdir(mode=0o700, parents=True)
        return Shelf(folder)


def _files_in(folder: Path) -> list[Path]:
    """Files of batches, in order. Raises OSError."""
    return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)


def _has_files(folder: Path, found: Found) -> bool:
    try:
        return bool(_files_in(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        found.unread[folder] = _why(error)
        return False


def _set_aside(path: Path, found: Found) -> bool:
    """Whether a file could be given a name under which nobody reads it."""
    try:
        found.broken.append(path.rename(path.with_suffix(".bad")))
    except OSError:
        return False
    return True


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _stays(error: OSError) -> None:
    _log.warning("a file of the spool cannot be removed (%s); what is in it is known", _why(error))
