"""The transport of a connection that is gone."""

import asyncio
from typing import Final


class _ClosedTransport(asyncio.Transport):
    """Takes what is still written and does nothing."""

    def is_closing(self) -> bool:
        return True

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
"""Takes the place of a lost transport: a protocol that kept its own would hold its buffers until a collection."""
