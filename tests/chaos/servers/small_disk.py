"""A small file system in memory that can be filled. Needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILLER = "filler"


class SmallDisk:
    """A file system of `megabytes`, mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Leaves no free byte."""
        with (self.folder / FILLER).open("ab", buffering=0) as filler:
            for size in (1024 * 1024, 4096):
                try:
                    while filler.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Removes what filled it."""
        (self.folder / FILLER).unlink(missing_ok=True)


@contextmanager
def mount_small_disk(folder: Path, megabytes: int, owner: int = 0) -> Iterator[SmallDisk]:
    """Mounts a small disk at a new folder. Raises AssertionError without the right to mount."""
    folder.mkdir()
    options = f"size={megabytes}m,mode=0755,uid={owner}"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    assert done.returncode == 0, f"this row needs root: {done.stderr.decode().strip()}"
    try:
        yield SmallDisk(folder)
    finally:
        os.sync()
        subprocess.run(["umount", "-l", folder], check=False)
