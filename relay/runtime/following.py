"""Files that the settings came from, looked at now and then: a secret mounted anew sends no signal."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

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

    async def run(self, every: float, changed: Callable[[], object]) -> None:
        """Call `changed` whenever they look different; for ever, or not at all when `every` is 0."""
        while every:
            await asyncio.sleep(every)
            if await asyncio.to_thread(self.look) != self._seen:
                changed()

    def look(self) -> Fingerprint:
        """How the files look now."""
        found = []
        for file in sorted(set(self._files())):
            try:
                stat = file.stat()
            except OSError:
                found.append((str(file), 0, 0))
            else:
                found.append((str(file), stat.st_mtime_ns, stat.st_size))
        return tuple(found)


def yaml_files(folder: Path) -> Iterable[Path]:
    """The settings files of a folder."""
    return [*folder.glob("*.yaml"), *folder.glob("*.yml")]
