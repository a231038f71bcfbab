"""The spool: counted batches on disk while the ledger does not take them. Each process has a folder of batch files.

A process holds the lock of its folder while it lives; a process that finds a folder with a free lock inherits it.
"""

import fcntl
import logging
import os
import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relay.domain.statistics import Batch
from relay.infra.statistics.batch_files import BrokenFile, read_batches, write_batches

_log = logging.getLogger(__name__)

_LOCK: Final = "lock"
_SUFFIX: Final = ".jsonl"


def new_uuid() -> str:
    """Returns a random id."""
    return str(uuid.uuid4())


@dataclass(slots=True)
class SpoolFile:
    """One file: ids of its batches, those that still count, and those that it replaces in older files."""

    path: Path
    ids: frozenset[str]
    live_ids: set[str]
    replaces: frozenset[str]


@dataclass(slots=True)
class Recovery:
    """Batches in order, broken files and unreadable paths, both with their reasons."""

    batches: list[Batch] = field(default_factory=list)
    broken: dict[Path, str] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)


class SpoolFolder:
    """The locked folder of one process. Raises BlockingIOError when another process has the lock, and OSError.

    A file is removed when none of its batches counts, but never before older files with batches that it replaces: they
    would count again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise
        self._files: list[SpoolFile] = []
        self._unreadable: set[Path] = set()
        self._broken: set[Path] = set()
        self._number = 0

    @property
    def is_empty(self) -> bool:
        """Whether the folder has nothing left to deliver."""
        return not self._files and not self._unreadable and not self._broken

    def read(self, recovered: Recovery) -> None:
        """Adds batches to `recovered` that were not read before.

        Files older than an unreadable one wait: it may replace their batches, which would count twice. When it is still
        unreadable the next time, it is set aside like a broken one.
        """
        unreadable_before, self._unreadable = self._unreadable, set()
        new: list[tuple[SpoolFile, list[Batch]]] = []
        known = {file.path for file in self._files} | self._broken
        try:
            paths = [path for path in _files_in(self.folder) if path not in known]
        except OSError as error:
            self._postpone(self.folder, error, recovered)
            return
        for path in reversed(paths):
            try:
                batches, replaces = read_batches(path)
            except FileNotFoundError:
                continue
            except BrokenFile as error:
                if not _set_aside(path, str(error), recovered):
                    self._broken.add(path)
                    recovered.broken[path] = str(error)
            except OSError as error:
                if path not in unreadable_before or path == paths[0] or not _set_aside(path, _reason(error), recovered):
                    self._postpone(path, error, recovered)
                    break
            else:
                ids = frozenset(batch.batch_id for batch in batches)
                new.append((SpoolFile(path, ids, set(ids), replaces), batches))
        self._add_older(new[::-1], recovered)

    def _add_older(self, new: Sequence[tuple[SpoolFile, list[Batch]]], recovered: Recovery) -> None:
        """Adds files that are older than all present ones."""
        self._files[:0] = [file for file, _ in new]
        replaced = frozenset().union(*(file.replaces for file in self._files))
        for file, _ in new:
            file.live_ids -= replaced
        recovered.batches += [batch for _, batches in new for batch in batches if batch.batch_id not in replaced]
        try:
            self.tidy()
        except OSError as error:
            _log_not_removed(error)

    def _postpone(self, path: Path, error: OSError, recovered: Recovery) -> None:
        """Leaves an unreadable path for the next time. A vanished one is ignored: another process removed it."""
        if not isinstance(error, FileNotFoundError):
            self._unreadable.add(path)
            recovered.unreadable[path] = _reason(error)

    def write(self, batches: Sequence[Batch], replaces: Collection[str]) -> None:
        """Writes batches in place of the `replaces` ids. Raises OSError when nothing was written."""
        self._number += 1
        path = self.folder / f"{self._number:010}.jsonl"
        write_batches(path, batches, replaces)
        for file in self._files:
            file.live_ids.difference_update(replaces)
        ids = frozenset(batch.batch_id for batch in batches)
        self._files.append(SpoolFile(path, ids, set(ids), frozenset(replaces)))

    def mark_delivered(self, batch_id: str) -> None:
        """Marks a batch as delivered; `tidy` removes files that do not count."""
        for file in self._files:
            file.live_ids.discard(batch_id)

    def close(self) -> None:
        """Releases the lock; removes the folder when it is empty."""
        try:
            if self.is_empty and [path.name for path in self.folder.iterdir()] == [_LOCK]:
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()
        except FileNotFoundError:
            _log.debug("spool folder removed by another process")
        finally:
            os.close(self._lock)

    def tidy(self) -> None:
        """Removes files that do not count, except those that may replace batches of an unreadable file.

        Raises OSError when a file cannot be removed; the next call tries again.
        """
        failed: OSError | None = None
        for file in list(self._files):
            if (
                file.live_ids
                or (file.replaces and self._unreadable)
                or any(file.replaces & other.ids for other in self._files)
            ):
                continue
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                failed = error
            else:
                self._files.remove(file)
        if failed is not None:
            raise failed


class Spool:
    """The spool of one process below `folder`, and what it inherits. It blocks: use it off the event loop."""

    def __init__(self, folder: Path, new_id: Callable[[], str] = new_uuid) -> None:
        self.folder = folder
        self._new_id = new_id
        self._own: SpoolFolder | None = None
        self._inherited: list[SpoolFolder] = []
        self._lock = threading.Lock()

    def inherit(self) -> Recovery:
        """Returns batches of ended processes that were not returned before. To be called from time to time.

        Folders and files are independent: an unreadable one does not stop the others.
        """
        recovered = Recovery()
        with self._lock:
            for spool_folder in self._inherited:
                spool_folder.read(recovered)
            for folder in self._folders(recovered):
                try:
                    spool_folder = SpoolFolder(folder)
                except (BlockingIOError, FileNotFoundError):  # its process lives, or another one took it
                    continue
                except OSError as error:
                    recovered.unreadable[folder] = _reason(error)
                    continue
                self._inherited.append(spool_folder)
                spool_folder.read(recovered)
            self._close_empty()
        return recovered

    def _folders(self, recovered: Recovery) -> list[Path]:
        """Returns folders of other processes with files; adds unreadable ones to `recovered`."""
        known = {spool_folder.folder for spool_folder in self._all_folders()}
        try:
            folders = sorted(path for path in self.folder.iterdir() if path not in known)
        except FileNotFoundError:  # nothing was ever written
            return []
        except OSError as error:
            recovered.unreadable[self.folder] = _reason(error)
            return []
        return [folder for folder in folders if _has_files(folder, recovered)]

    def _all_folders(self) -> list[SpoolFolder]:
        return [*self._inherited, *([self._own] if self._own else ())]

    def write(self, batches: Sequence[Batch], replaces: Collection[str] = ()) -> None:
        """Writes batches in place of the `replaces` ids. Raises OSError when nothing changed."""
        with self._lock:
            if self._own is None:
                self._own = self._make_folder()
            self._own.write(batches, replaces)
            try:
                self._own.tidy()
            except OSError as error:
                _log_not_removed(error)

    def remove(self, batch_id: str) -> None:
        """Removes a delivered batch. Raises OSError when its file cannot be removed."""
        with self._lock:
            for spool_folder in self._all_folders():
                spool_folder.mark_delivered(batch_id)
            failed: OSError | None = None
            for spool_folder in self._all_folders():
                try:
                    spool_folder.tidy()
                except OSError as error:
                    failed = error
            self._close_empty()
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Releases all folders; the next process inherits their content. Raises OSError."""
        with self._lock:
            folders = self._all_folders()
            self._inherited, self._own = [], None
            for spool_folder in folders:
                spool_folder.close()

    def _close_empty(self) -> None:
        for spool_folder in [folder for folder in self._inherited if folder.is_empty]:
            self._inherited.remove(spool_folder)
            try:
                spool_folder.close()
            except OSError as error:
                _log_not_removed(error)

    def _make_folder(self) -> SpoolFolder:
        folder = self.folder / self._new_id()
        folder.mkdir(mode=0o700, parents=True)
        return SpoolFolder(folder)


def _files_in(folder: Path) -> list[Path]:
    """Returns batch files in order. Raises OSError."""
    return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)


def _has_files(folder: Path, recovered: Recovery) -> bool:
    try:
        return bool(_files_in(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        recovered.unreadable[folder] = _reason(error)
        return False


def _set_aside(path: Path, reason: str, recovered: Recovery) -> bool:
    """Renames a broken file so that it is not read again. Returns whether that succeeded."""
    try:
        recovered.broken[path.rename(path.with_suffix(".bad"))] = reason
    except OSError:
        return False
    return True


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _log_not_removed(error: OSError) -> None:
    _log.warning("spool file not removed: reason=%s", _reason(error))
