"""Detects changed settings files by polling: a remounted secret sends no signal."""

from collections.abc import Callable, Iterable
from pathlib import Path

from relay.infra.files.regular import awaiting

Fingerprint = tuple[tuple[str, int, int], ...]


class FileWatch:
    """Remembers size and mtime of files. `files` returns the current paths, those of settings folders included."""

    def __init__(self, files: Callable[[], Iterable[Path]]) -> None:
        self._files = files
        self._known = self.fingerprint()

    def mark_known(self, fingerprint: Fingerprint) -> None:
        """Sets the known state to a fingerprint taken before the files were read: later changes are detected."""
        watched = set(map(str, self._files()))
        self._known = tuple(row for row in fingerprint if row[0] in watched)

    def has_changed(self) -> bool:
        """Returns whether the files differ from the known state."""
        return self.fingerprint() != self._known

    def fingerprint(self) -> Fingerprint:
        """Returns path, mtime and size of each file now."""
        rows = []
        for file in sorted(set(self._files())):
            try:
                with awaiting(file):
                    stat = file.stat()
            except OSError:
                rows.append((str(file), 0, 0))
            else:
                rows.append((str(file), stat.st_mtime_ns, stat.st_size))
        return tuple(rows)


def list_yaml_files(folder: Path) -> Iterable[Path]:
    """Returns the settings files of a folder."""
    with awaiting(folder):
        return [*folder.glob("*.yaml"), *folder.glob("*.yml")]


def list_key_files(folder: Path) -> Iterable[Path]:
    """Returns the private keys of a folder of token keys. One may be written after `jwks.json` names it."""
    with awaiting(folder):
        return list(folder.glob("*.pem"))
