"""Answers that must be read: what a customer did not consent to is taken out of them (규격 6.2)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from relay.domain.fault import Fault
from relay.gateway.forwarding import Forwarding
from relay.policy.withheld import without

MOST_BYTES: Final = 4 * 1024 * 1024
"""A page of 500 rows has some 200 KiB; a larger answer than this is not read but refused."""


class Withholding:
    """Stands between the flight and the forwarding: waits for the whole answer and passes on what may be seen."""

    __slots__ = ("_fields", "_forwarding", "_headers", "_parts", "_size", "_status")

    def __init__(self, forwarding: Forwarding, fields: frozenset[str]) -> None:
        self._forwarding = forwarding
        self._fields = fields
        self._status = 0
        self._headers: Mapping[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def answered(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Pass a whole answer on, without the fields. One that cannot be read is none (50005)."""
        if status != HTTPStatus.OK:
            return self._forwarding.answered(status, headers, body)
        try:
            if b"content-encoding" in headers:
                raise ValueError("coded")  # noqa: TRY301 - one way out for all that cannot be read
            rest = without(body, self._fields)
        except ValueError:
            self._forwarding.unreadable(status, "json")
            return False
        return self._forwarding.answered(status, {**headers, b"content-length": b"%d" % len(rest)}, rest)

    def begun(self, status: int, headers: Mapping[bytes, bytes], length: int | None, body: bytes) -> None:
        """Keep the begin of a large answer. `length` is not believed; what comes is counted."""
        del length
        self._status, self._headers = status, headers
        if self._forwarding.takes(status, headers):
            self.more(body)

    def more(self, body: bytes) -> None:
        """Keep a part."""
        self._size += len(body)
        if self._size <= MOST_BYTES:
            self._parts.append(body)
        elif self._parts:
            self._parts.clear()
            self._forwarding.unreadable(self._status, "length")

    def ended(self) -> None:
        """Pass on what was kept."""
        if self._parts:
            self.answered(self._status, self._headers, b"".join(self._parts))

    def failed(self, fault: Fault, detail: str = "") -> None:
        """Tell the operator: nothing was begun."""
        self._forwarding.failed(fault, detail)
