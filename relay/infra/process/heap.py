"""Returns the memory of ended connections to the system.

uvloop allocates 256 KiB for each TLS connection, of which a few pages are used. After the first was freed, glibc raises
the size from which it maps blocks, and takes later ones from its heap. Each connection then uses other pages of the
heap, and the memory of the process grows until all of them were used.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Final

_M_MMAP_THRESHOLD: Final = -3
MAPPED_BYTES: Final = 128 * 1024
"""Blocks from this size are mapped, and unmapped when they are freed. The default is the same, but it adapts."""

TRIM_AFTER: Final = 200
"""Ended connections after which free pages are returned, more while more connections are open.

PERF: the cost grows with the free blocks of the whole heap: 1 ms after 200 connections, 8 ms after 9,000. A trim after
each 200 of 9,000 open connections would cost 8 ms each time.
"""


class Heap:
    """The heap of this process. Does nothing with a C library other than glibc."""

    def __init__(self, library: Any = None) -> None:
        library = ctypes.PyDLL(None) if library is None else library
        self._mallopt: Callable[[int, int], int] | None = getattr(library, "mallopt", None)
        self._trim: Callable[[int], int] | None = getattr(library, "malloc_trim", None)
        self._ended = 0

    def start(self) -> None:
        """Makes blocks of 128 KiB and more separate mappings for as long as the process runs."""
        if self._mallopt is not None and self._trim is not None:
            self._mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)

    def tick(self, ended: int, open_connections: int) -> None:
        """Returns free pages if enough connections have ended. `ended` is their number since the start."""
        if ended - self._ended >= max(TRIM_AFTER, open_connections):
            self.trim()
            self._ended = ended

    def trim(self) -> None:
        """Returns free pages to the system."""
        if self._trim is not None:
            self._trim(0)
