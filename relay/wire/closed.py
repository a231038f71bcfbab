"""The transport of a lost connection."""

import asyncio
from typing import Final


def _return_true(_transport: asyncio.Transport) -> bool:
    return True


class _ClosedTransport(asyncio.Transport):
    """Discards everything that is still written."""

    is_closing = _return_true

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


CLOSED: Final = _ClosedTransport()
"""Replaces a lost transport: a protocol that kept its own would hold its buffers until a garbage collection."""
