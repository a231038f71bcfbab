"""Stand-ins for what counts calls and transfers."""

from relay.domain.fault import FAULTS, Refusal
from relay.domain.quota import Transfer


class QuotaCounters:
    """Keeps counted requests; raises the fault named by `full`."""

    def __init__(self):
        self.taken, self.full = [], ""

    def take(self, call, now):
        if self.full:
            raise Refusal(FAULTS[self.full], retry_after=1.5)
        self.taken.append((*call, now))

    def give_back(self, call):
        assert self.taken.pop()[:-1] == call


class ScheduledTransfers:
    """Keeps started transfers and completed pages; refuses with the fault named by `made`."""

    def __init__(self):
        self.started, self.completed, self.made = [], [], ""

    def begin(self, description, now, *, is_continuation):
        if self.made:
            raise Refusal(FAULTS[self.made], retry_after=3600.0)
        self.started.append(description)
        return Transfer(description, 0, is_continuation)

    def complete(self, transfer, find_unsent, *, is_last):
        self.completed.append((transfer, find_unsent, is_last))
