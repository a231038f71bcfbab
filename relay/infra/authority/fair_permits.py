"""Shares permits fairly between operators and kinds of calls. No effects."""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from relay.domain.queue_full import QueueFull

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """The key of a permit: the calling operator and the kind of its call."""

    operator: str
    kind: str


class FairPermits(Generic[T]):
    """`total` permits, and a queue of `waiting` items.

    An operator holds at most half of the permits, a kind of call at most half, an operator with one kind at most a
    quarter; an operator has at most half of the queue. Free permits go to the shares in turn. So the calls of one
    operator, or those that wait for a silent certifier, always leave permits to others.
    """

    def __init__(self, total: int, waiting: int) -> None:
        self._total = total
        self._waiting = waiting
        self._half, self._quarter = max(1, total // 2), max(1, total // 4)
        self._half_waiting = (waiting + 1) // 2
        self._by_operator: Counter[str] = Counter()
        self._by_kind: Counter[str] = Counter()
        self._by_share: Counter[Share] = Counter()
        self._queues: OrderedDict[Share, deque[T]] = OrderedDict()
        self._waiting_by_operator: Counter[str] = Counter()
        self.taken = 0
        self.queued = 0

    def take(self, share: Share, item: T) -> bool:
        """Takes a permit and returns True, or queues the item and returns False. Raises QueueFull."""
        if share not in self._queues and self._fits(share):
            self._hold(share)
            return True
        if self.queued >= self._waiting or self._waiting_by_operator[share.operator] >= self._half_waiting:
            raise QueueFull
        self._queues.setdefault(share, deque()).append(item)
        self._waiting_by_operator[share.operator] += 1
        self.queued += 1
        return False

    def release(self, share: Share) -> list[T]:
        """Frees the permit of an item. Returns the queued items that get a permit now."""
        self.taken -= 1
        for count, key in self._counts(share):
            count[key] -= 1
            if not count[key]:
                del count[key]
        return self._start_queued()

    def withdraw(self, share: Share, item: T) -> None:
        """Removes a queued item."""
        self._queues[share].remove(item)
        self._count_dequeued(share)

    def _start_queued(self) -> list[T]:
        started: list[T] = []
        for share in list(self._queues):
            if self.taken >= self._total:
                break
            if self._fits(share):
                started.append(self._queues[share].popleft())
                self._hold(share)
                self._count_dequeued(share)
                if share in self._queues:
                    self._queues.move_to_end(share)
        return started

    def _fits(self, share: Share) -> bool:
        return (
            self.taken < self._total
            and self._by_operator[share.operator] < self._half
            and self._by_kind[share.kind] < self._half
            and self._by_share[share] < self._quarter
        )

    def _hold(self, share: Share) -> None:
        self.taken += 1
        for count, key in self._counts(share):
            count[key] += 1

    def _counts(self, share: Share) -> tuple[tuple[Counter[str | Share], str | Share], ...]:
        return (  # type: ignore[return-value]
            (self._by_operator, share.operator),
            (self._by_kind, share.kind),
            (self._by_share, share),
        )

    def _count_dequeued(self, share: Share) -> None:
        self.queued -= 1
        self._waiting_by_operator[share.operator] -= 1
        if not self._waiting_by_operator[share.operator]:
            del self._waiting_by_operator[share.operator]
        if not self._queues[share]:
            del self._queues[share]
