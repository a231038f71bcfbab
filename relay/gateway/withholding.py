"""Answers that must be read: what a customer did not consent to is taken out of them (규격 6.2)."""

from collections.abc import Mapping
from typing import Final

from relay.domain.fault import Fault
from relay.gateway.body_filters import SLICE_TOKENS, BodyFilters
from relay.gateway.forwarding import Forwarding
from relay.policy.call.member_filter import MemberFilter

MOST_BYTES: Final = 4 * 1024 * 1024
"""A page of 500 rows has some 200 KiB; a larger answer than this is not read but refused."""


class Withholding:
    """Stands between the flight and the forwarding: waits for the whole answer and passes on what may be seen.

    A large answer is read in slices by `filters`.
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
        """Pass a whole answer on, without the fields, whatever its status. One that cannot be read is none (50005)."""
        if not self._forwarding.takes(status, headers):
            return False
        self._status, self._headers = status, headers
        try:
            if b"content-encoding" in headers:
                raise ValueError("coded")  # noqa: TRY301 - one way out for all that cannot be read
            reading = MemberFilter(body, self._fields)
            is_done = reading.read(SLICE_TOKENS)
        except ValueError:
            return self._pass_on(None)
        if is_done:
            return self._pass_on(reading.result)
        self._filters.add(reading, self._pass_on)
        return True

    def _pass_on(self, rest: bytes | None) -> bool:
        """Pass on what may be seen; None: the answer cannot be read."""
        if self._forwarding.is_done:  # the operator went away meanwhile
            return True
        if rest is None:
            self._forwarding.unreadable(self._status, "json")
            return False
        headers = {**self._headers, b"content-length": b"%d" % len(rest)}
        return self._forwarding.response_received(self._status, headers, rest)

    def head_received(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Keep the begin of a large answer. `length` is not believed; what comes is counted."""
        del length
        self._status, self._headers = status, headers
        if self._forwarding.takes(status, headers):
            self.body_received(body)

    def body_received(self, body: bytes) -> None:
        """Keep a part."""
        self._size += len(body)
        if self._size <= MOST_BYTES:
            self._parts.append(body)
        elif self._parts:
            self._parts.clear()
            self._forwarding.unreadable(self._status, "length")

    def response_ended(self) -> None:
        """Pass on what was kept."""
        if self._parts:
            self.response_received(self._status, self._headers, b"".join(self._parts))

    def request_failed(self, fault: Fault, detail: str = "") -> None:
        """Tell the operator: nothing was begun."""
        self._forwarding.request_failed(fault, detail)
