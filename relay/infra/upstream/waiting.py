"""Requests of one pool that wait for a permit."""

from collections import deque

from relay.infra.upstream.request import PoolRequest
from relay.policy.quota.operator_shares import OperatorLimits, OperatorShares


class WaitingRequests:
    """Holds at most `size` requests. No operator takes all places, and calls on demand displace scheduled ones.

    Requests wait no longer than `queue_s`. While the oldest has waited for more than a half of it, the newest is
    started first: the others would end unserved anyway.
    """

    def __init__(self, size: int, queue_s: float, limits: OperatorLimits) -> None:
        self._requests: deque[PoolRequest] = deque()
        self._places = OperatorShares(size, limits)
        self.queue_s = queue_s

    def __len__(self) -> int:
        return len(self._requests)

    def resize(self, size: int) -> None:
        """Changes the number of places."""
        self._places.resize(size)

    def add(self, request: PoolRequest, more: int, held: int) -> bool:
        """Adds a request, to `more` additional places if given. Returns whether its operator may have a place.

        `held` is how many permits the operator holds.
        """
        if not self._places.take(request.operator, more, held):
            return False
        self._requests.append(request)
        request.wait(self.queue_s)
        return True

    def is_full(self, more: int) -> bool:
        """Returns whether no operator may have a place."""
        return self._places.is_full(more)

    def remove(self, request: PoolRequest) -> None:
        """Removes a request."""
        self._requests.remove(request)
        self._places.release(request.operator)

    def find_displaced(self, operator: str, more: int) -> PoolRequest | None:
        """Returns the newest scheduled request, whose place in the full queue a call on demand of `operator` may have.

        Returns None if the operator waits with its share of the places: it would get none.
        """
        if not self._places.is_full(more) or not self._places.fits_beside_others(operator):
            return None
        return next((request for request in reversed(self._requests) if request.is_scheduled), None)

    def take_next(self, shares: OperatorShares, now: float, *, allows_scheduled: bool) -> PoolRequest | None:
        """Removes and returns the request to start: calls on demand first, then the operator with the smallest part.

        Returns None if no operator that waits may have a permit.
        """
        requests = self._requests
        if not requests:
            return None
        is_late = now - requests[0].queued_at > self.queue_s / 2
        ready = [
            request
            for request in (reversed(requests) if is_late else requests)
            if (allows_scheduled or not request.is_scheduled) and shares.fits(request.operator)
        ]
        if not ready:
            return None
        request = min(ready, key=lambda each: (each.is_scheduled, shares.get_part(each.operator)))
        self.remove(request)
        return request
