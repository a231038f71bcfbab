"""A store of leases in memory: the rules of lease.lua again, with a given clock."""

import math
from dataclasses import dataclass, field

from relay.policy.quota.fair_share import ACTIVE_S, RESERVED, RESERVED_ON_DEMAND, count_reserved
from relay.policy.quota.leases import LeaseReply, LeaseRequest

SILENT_S = 0.5
FORGOTTEN_S = 30.0
KEPT_S = 3.0
TURN_S = 1.0
ROUNDING = 1e-6


@dataclass
class Account:
    """What an operator used of its share, and when it called last."""

    used: float = 0.0
    seen_at: float = -math.inf
    weight: float = 1.0


@dataclass
class Count:
    """The count of one limit."""

    level: float = 0.0
    at: float = 0.0
    on_demand_at: float = -math.inf
    counted_at: float = -math.inf
    weights: float = 1.0
    accounts: dict = field(default_factory=dict)

    def add_weights(self, account, weight, now):
        if now - account.seen_at > ACTIVE_S or now - self.counted_at >= 1:
            others = (each for each in self.accounts.values() if each is not account)
            self.weights = weight + sum(each.weight for each in others if now - each.seen_at <= ACTIVE_S)
            self.counted_at = now
        return max(weight, self.weights)


@dataclass
class SimulatedStore:
    """Counts of limits and holders of slots, for all gateways. `forget` is a failover to an empty server."""

    counts: dict = field(default_factory=dict)
    holders: dict = field(default_factory=dict)
    seen: dict = field(default_factory=dict)
    together: dict = field(default_factory=dict)

    def lease(self, name, requests, now, *, is_alone=False, gateways=0):
        """Returns the number of gateways and a reply to each request: LeaseReply, or a number of slots."""
        self.seen[name] = now
        self.together.pop(name, None)
        if not is_alone:
            self.together[name] = now
        self.seen = {gateway: at for gateway, at in self.seen.items() if at > now - FORGOTTEN_S}
        present = sum(at >= now - SILENT_S for at in self.together.values())
        gateways = max(len(self.seen), gateways)
        share = max(1, present) / gateways
        return gateways, [
            self._lease(request, share, now) if isinstance(request, LeaseRequest) else self._share(name, request, now)
            for request in requests
        ]

    def _lease(self, request, share, now):
        limit = request.limit
        rate = limit.rate.per_second * share
        burst = max(1, limit.rate.burst * share)
        count = self.counts.setdefault(limit.key, Count(at=now))
        level = max(0.0, count.level - max(0.0, now - count.at) * rate)
        level = min(level, limit.rate.burst) if request.is_lowered else level
        level = max(0.0, min(level + request.debt, max(level, limit.rate.burst)))
        if limit.is_fair:
            permits, wait_s = share_fairly(count, request, rate, burst, level, now)
        else:
            permits = max(0, min(request.wanted, math.floor(burst - level + ROUNDING)))
            wait_s = (level + permits + 1 - burst) / rate
        count.level, count.at = level + permits, now
        return LeaseReply(permits, max(0.0, wait_s) if permits < request.wanted else 0.0, count.level)

    def _share(self, name, request, now):
        holders = self.holders.setdefault(request.org_code, {})
        others, wants = 0, {name: request.wanted}
        for other, (held, want, at) in list(holders.items()):
            if now - at > FORGOTTEN_S:
                del holders[other]
            elif other != name and now - at > KEPT_S:
                others += min(held, max(1, request.concurrency // max(len(self.seen), 1)))
            elif other != name:
                others += held
                wants[other] = want
        most = divide(request.concurrency, wants, name, int(now // TURN_S))
        slots = max(0, min(request.wanted, request.concurrency - others, most))
        holders[name] = max(request.in_use, slots), request.wanted, now
        if not holders[name][0] and not request.wanted:
            del holders[name]
        return slots

    def leave(self, name):
        for gateways in (self.seen, self.together, *self.holders.values()):
            gateways.pop(name, None)

    def forget(self):
        for each in (self.counts, self.holders, self.seen, self.together):
            each.clear()


def share_fairly(count, request, rate, burst, level, now):
    """Returns the permits of one operator, and the seconds until the next."""
    account = count.accounts.setdefault(request.limit.operator, Account())
    weight = request.limit.weight
    parts = count.add_weights(account, weight, now) / weight
    part = max(1, burst / parts)
    used = min(part, max(0, account.used - max(0, now - account.seen_at) * rate / parts)) if account.used else 0
    for_on_demand = 0
    if not request.limit.is_scheduled:
        count.on_demand_at = now
    elif now - count.on_demand_at <= ACTIVE_S:
        for_on_demand = count_reserved(burst, RESERVED_ON_DEMAND)
    below = burst - level - min(burst - 1, for_on_demand)
    above = burst - level - min(burst - 1, for_on_demand + count_reserved(burst, RESERVED))
    own = math.floor(part - used + ROUNDING) if parts > 1 else request.wanted
    permits = max(0, min(request.wanted, math.floor(max(min(below, own), above) + ROUNDING)))
    account.used, account.seen_at, account.weight = min(part, used + permits), now, weight
    own_s = (account.used + 1 - part) * parts / rate if parts > 1 else 0
    return permits, min(max((1 - below) / rate, own_s), (1 - above) / rate) + permits / rate


def divide(slots, wants, owner, turn):
    """Returns the most that `owner` may have: no more than wanted, all together no more than `slots`."""
    names = sorted(wants, key=lambda name: (wants[name], name))
    for index, name in enumerate(names):
        left = len(names) - index
        if wants[name] * left > slots:
            rest, equal = sorted(names[index:]), slots // left
            if owner in rest:
                return equal + ((rest.index(owner) + 1 + turn) % left < slots - equal * left)
        slots -= wants[name]
    return math.inf
