"""Requests under way on one line, by unique number."""

import asyncio
from dataclasses import dataclass
from typing import Final

from relay.infra.telegrams.unique_numbers import UniqueNumbers

MAX_RESERVED: Final = 1000
"""A line with more requests without response is closed, whatever the number of digits is."""


@dataclass(slots=True)
class PendingRequest:
    """A request under way. It stays when its caller has gone: its response must not reach another request.

    `reads` is the number of reads of the line before it was sent.
    """

    answer: asyncio.Future[bytes]
    reads: int
    timer: asyncio.TimerHandle


class PendingRequests:
    """The requests of one line. The number of one without response is not used again: it may still come."""

    def __init__(self, numbers: UniqueNumbers) -> None:
        self._numbers = numbers
        self._pending: dict[str, PendingRequest] = {}
        self._reserved: set[str] = set()

    @property
    def is_used_up(self) -> bool:
        """Whether more than half of all numbers cannot be used again: the line must be closed."""
        return len(self._reserved) > min(MAX_RESERVED, self._numbers.half)

    def take_number(self) -> str:
        """Returns a number that no request of this line has, "" where telegrams have none.

        There is one while the line has at most `half` requests, and takes no further ones when it is used up.
        """
        number = self._numbers.take()
        while number and (_get_key(number) in self._pending or self.is_reserved(number)):
            number = self._numbers.take()
        return number

    def add(self, number: str, request: PendingRequest) -> None:
        """Adds a request that is being sent."""
        self._pending[_get_key(number)] = request

    def finish(self, number: str) -> PendingRequest | None:
        """Returns the request with this number, which is under way no longer; None for an unknown number."""
        request = self._pending.pop(_get_key(number), None)
        if request is not None:
            request.timer.cancel()
        return request

    def expire(self, number: str) -> PendingRequest | None:
        """Ends a request without response; see `finish`."""
        request = self.finish(number)
        if request is not None and number:
            self._reserved.add(_get_key(number))
        return request

    def finish_all(self) -> list[PendingRequest]:
        """Returns all requests, which are under way no longer."""
        requests = [self.finish(number) for number in list(self._pending)]
        return [request for request in requests if request is not None]

    def is_reserved(self, number: str) -> bool:
        """Whether the request with this number ended without response."""
        return _get_key(number) in self._reserved


def _get_key(number: str) -> str:
    """Returns a number as the core may repeat it: without leading zeros."""
    return number.lstrip("0")
