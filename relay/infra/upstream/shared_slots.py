"""The slots of an institution that all gateways share, as the limits of its pool."""

from collections.abc import Callable

from relay.infra.upstream.pool import ConnectionPool


class SharedSlots:
    """Limits a pool to the slots that this gateway holds, of `concurrency` that all gateways share."""

    def __init__(self, pool: ConnectionPool, concurrency: int, queue: int) -> None:
        self.pool = pool
        self._concurrency = concurrency
        self._queue = queue

    def count_calls(self) -> tuple[int, int]:
        """Returns the calls in flight and those that wait for a slot."""
        counts = self.pool.counts()
        return counts["flying"], counts["waiting"]

    def share_slots(self, on_wait: Callable[[], None]) -> None:
        """Begins without a slot. `on_wait` is called when a call waits for one."""
        self.pool.on_wait = on_wait
        self.set_slots(0)

    def set_slots(self, slots: int) -> None:
        """Allows so many calls at once. As many more may wait as slots are missing: these may come at any time."""
        self.pool.resize(slots, self._queue + self._concurrency - slots)
