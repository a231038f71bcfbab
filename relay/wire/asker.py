"""What a connection to a server reports to the sender of a request: its answer, or why there is none."""

from enum import StrEnum
from typing import Protocol

from relay.wire.head import AnswerHead


class Broken(StrEnum):
    """Why an answer did not come to its end."""

    CLOSED = "closed"
    """The peer closed before the first byte of an answer."""
    CUT = "cut"
    """The peer closed in the middle of an answer."""
    MALFORMED = "malformed"
    """What came is no HTTP/1.1 answer."""


class Asker(Protocol):
    """Who sent a request and takes its answer: `whole`, or `begun` then `more` then `ended`; or `broken`."""

    def first_byte(self) -> None:
        """The answer has begun and has not come whole."""

    def whole(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """A whole answer. The connection may be used again when `connection.reusable`."""

    def begun(self, head: AnswerHead, body: bytes) -> None:
        """The head of a large answer and what has come of its body."""

    def more(self, body: bytes) -> None:
        """A further part of the body."""

    def ended(self) -> None:
        """The body is complete."""

    def broken(self, how: Broken) -> None:
        """No answer, or not the end of it, will come."""
