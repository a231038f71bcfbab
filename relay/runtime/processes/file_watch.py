"""Files that the settings came from, looked at now and then: a secret mounted anew sends no signal."""

from collections.abc import Callable, Iterable
from pathlib import Path

from relay.infra.files.regular import awaiting

Fingerprint = tuple[tuple[str, int, int], ...]


class Following:
    """Remembers how files looked. `files` tells which there are just now, folders of settings included."""

    def __init__(self, files: Callable[[], Iterable[Path]]) -> None:
        self._files = files
        self._seen = self.look()

    def seen(self, fingerprint: Fingerprint) -> None:
        """Take this as known: what `look` saw before the files were read, so that a change meanwhile is news."""
        watched = set(map(str, self._files()))
        self._seen = tuple(row for row in fingerprint if row[0] in watched)

    def differs(self) -> bool:
        """Whether the files look different from what is known."""
        return self.look() != self._seen

    def look(self) -> Fingerprint:
        """How the files look now."""
        found = []
        for file in sorted(set(self._files())):
            try:
                with awaiting(file):
                    stat = file.stat()
            except OSError:
                found.append((str(file), 0, 0))
            else:
                found.append((str(file), stat.st_mtime_ns, stat.st_size))
        return tuple(found)


def yaml_files(folder: Path) -> Iterable[Path]:
    """The settings files of a folder."""
    with awaiting(folder):
        return [*folder.glob("*.yaml"), *folder.glob("*.yml")]
