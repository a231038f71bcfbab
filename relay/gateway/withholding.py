"""Removes fields that a customer did not consent to from response bodies (규격 6.2)."""

from collections.abc import Mapping
from typing import Final

from relay.domain.fault import Fault
from relay.gateway.body_filters import SLICE_TOKENS, BodyFilters
from relay.gateway.forwarding import Forwarding
from relay.policy.call.member_filter import MemberFilter

MAX_BYTES: Final = 4 * 1024 * 1024
"""A page of 500 rows has some 200 KiB. A response larger than this limit is refused."""


class Withholding:
    """Receives the whole upstream response and passes it to the forwarding without the withheld fields.

    Large bodies are filtered in slices by `filters`.
    """

    __slots__ = ("_fields", "_filters", "_forwarding", "_headers", "_parts", "_size", "_status")

    def __init__(self, forwarding: Forwarding, fields: frozenset[str], filters: BodyFilters) -> None:
        self._forwarding = forwarding
        self._filters = filters
        self._fields = fields
        self._status = 0
        self._headers: Mapping[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def response_received(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Forwards a whole response without the fields, whatever its status. Refuses one that is not JSON (50005)."""
        if not self._forwarding.accepts(status, headers):
            return False
        self._status, self._headers = status, headers
        try:
            if b"content-encoding" in headers:
                raise ValueError("coded")  # noqa: TRY301 - one exit for all bodies that cannot be parsed
            member_filter = MemberFilter(body, self._fields)
            is_done = member_filter.read(SLICE_TOKENS)
        except ValueError:
            return self._forward(None)
        if is_done:
            return self._forward(member_filter.result)
        self._filters.add(member_filter, self._forward)
        return True

    def _forward(self, filtered: bytes | None) -> bool:
        """Forwards the filtered body; None: the body cannot be parsed."""
        if self._forwarding.is_done:  # the operator has disconnected meanwhile
            return True
        if filtered is None:
            self._forwarding.reject_unreadable(self._status, "json")
            return False
        headers = {**self._headers, b"content-length": b"%d" % len(filtered)}
        return self._forwarding.response_received(self._status, headers, filtered)

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Keeps the beginning of a large response. `length` is not trusted; received bytes are counted."""
        del length
        self._status, self._headers = status, headers
        if self._forwarding.accepts(status, headers):
            self.body_received(body)

    def body_received(self, body: bytes) -> None:
        """Keeps a part."""
        self._size += len(body)
        if self._size <= MAX_BYTES:
            self._parts.append(body)
        elif self._parts:
            self._parts.clear()
            self._forwarding.reject_unreadable(self._status, "length")

    def response_ended(self) -> None:
        """Filters and forwards the kept body."""
        if self._parts:
            self.response_received(self._status, self._headers, b"".join(self._parts))

    def request_failed(self, fault: Fault, detail: str = "") -> None:
        """Refuses the call: no part of the response was sent."""
        self._forwarding.request_failed(fault, detail)
