"""A store of leases in memory: the rules of lease.lua again, with a given clock."""

import math
from dataclasses import dataclass, field

from relay.policy.quota.leases import LeaseReply, LeaseRequest

SILENT_S = 0.5
FORGOTTEN_S = 30.0
KEPT_S = 3.0


@dataclass
class SimulatedStore:
    """Counts of limits and holders of slots, for all gateways. `forget` is a failover to an empty server."""

    counts: dict = field(default_factory=dict)
    holders: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)

    def lease(self, name, requests, now):
        """Returns the number of gateways and a reply to each request: LeaseReply, or a number of slots."""
        self.seen[name] = now
        self.seen = {gateway: at for gateway, at in self.seen.items() if at > now - FORGOTTEN_S}
        present = sum(at >= now - SILENT_S for at in self.seen.values())
        share = present / len(self.seen)
        return len(self.seen), [
            self._lease(request, share, now) if isinstance(request, LeaseRequest) else self._share(name, request, now)
            for request in requests
        ]

    def _lease(self, request, share, now):
        rate = request.limit.rate.per_second * share
        burst = max(1, request.limit.rate.burst * share)
        level, at = self.counts.get(request.limit.key, (0.0, now))
        level = max(0.0, max(0.0, level - max(0.0, now - at) * rate) + request.debt)
        permits = max(0, min(request.wanted, math.floor(burst - level + 1e-6)))
        level += permits
        self.counts[request.limit.key] = (level, now)
        return LeaseReply(permits, (level + 1 - burst) / rate if permits < request.wanted else 0.0, level)

    def _share(self, name, request, now):
        holders = self.holders.setdefault(request.org_code, {})
        others, wants = 0, [request.wanted]
        for other, (held, want, at) in list(holders.items()):
            if now - at > FORGOTTEN_S:
                del holders[other]
            elif other != name and now - at > KEPT_S:
                others += min(held, max(1, request.concurrency // len(self.seen)))
            elif other != name:
                others += held
                wants.append(want)
        slots = max(0, min(request.wanted, request.concurrency - others, divide(request.concurrency, wants)))
        holders[name] = max(request.in_use, slots), request.wanted, now
        return slots

    def leave(self, name):
        self.seen.pop(name, None)
        for holders in self.holders.values():
            holders.pop(name, None)

    def forget(self):
        self.counts.clear()
        self.holders.clear()
        self.seen.clear()


def divide(slots, wants):
    """Returns the most that each may have: no more than it wants, and all together no more than `slots`."""
    for index, want in enumerate(sorted(wants)):
        equal = slots / (len(wants) - index)
        if want > equal:
            return math.ceil(equal)
        slots -= want
    return math.inf
