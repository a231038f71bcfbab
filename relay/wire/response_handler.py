"""Callbacks of a client connection: how the response to a request is delivered."""

from enum import StrEnum
from typing import Protocol

from relay.wire.head import ResponseHead


class ResponseFailure(StrEnum):
    """Why a response is missing or incomplete."""

    CLOSED = "closed"
    """The peer closed before the first byte of the response."""
    CUT = "cut"
    """The peer closed in the middle of the response."""
    MALFORMED = "malformed"
    """The response violates HTTP/1.1."""


class ResponseHandler(Protocol):
    """Receives the response to one request.

    The connection calls `response_received`, or `head_received`, `body_received` and `response_ended` in that order. If
    the response is missing or incomplete, it calls `request_failed` last.
    """

    def first_byte_received(self) -> None:
        """The response has begun and did not come in one piece."""

    def response_received(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """The whole response. The connection can carry another request if `connection.reusable`."""

    def head_received(self, head: ResponseHead, body: bytes) -> None:
        """The head of a large response and the beginning of its body."""

    def body_received(self, body: bytes) -> None:
        """The next part of the body."""

    def response_ended(self) -> None:
        """The body is complete."""

    def request_failed(self, failure: ResponseFailure) -> None:
        """The response will not come, or will not be completed."""
