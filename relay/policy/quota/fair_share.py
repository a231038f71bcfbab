"""Shares the rate of an institution between operators, calls on demand before scheduled transfers.

While enough of the burst is left, each call passes. The rest is reserved: a quarter of the burst for operators below
their share of the rate, and a half for calls on demand. So a flood of one operator leaves the others their share, and
scheduled transfers leave calls on demand what the institution can serve. `lease.lua` has the same rules.
"""

from typing import Final

from relay.domain.fault import Refusal
from relay.policy.quota.limits import Limit
from relay.policy.quota.meter import Meter

ACTIVE_S: Final = 10.0
"""For so long after a call, an operator has a share, and scheduled transfers leave the reserve to calls on demand."""

RESERVED: Final = 0.25
"""Part of the burst for operators below their share."""

RESERVED_ON_DEMAND: Final = 0.5
"""Part of the burst for calls on demand."""

_COUNT_S: Final = 1.0
_ROUNDING_S: Final = 1e-6


def count_reserved(burst: float, part: float) -> float:
    """Returns how many requests of a burst are reserved: one at least, and never all."""
    return min(burst - 1, max(1.0, burst * part))


class OperatorAccount:
    """What one operator used of its share: `next_at` is the theoretical time of its next call (GCRA).

    `parts` is into how many shares like this one the rate is divided.
    """

    __slots__ = ("next_at", "parts", "seen_at", "weight")

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.parts = 1.0
        self.next_at = 0.0
        self.seen_at = float("-inf")


class InstitutionMeter(Meter):
    """Counts the calls at one institution, and those of each operator against its share of the rate.

    The shares of the operators that called lately are in proportion to their weights. Until `unreserved_s` before
    `next_at` nothing is reserved.
    """

    __slots__ = ("_accounts", "_burst", "on_demand_at", "unreserved_s")

    def __init__(self, limit: Limit, share: float = 1.0) -> None:
        self._accounts: dict[str, OperatorAccount] = {}
        self.on_demand_at = float("-inf")
        super().__init__(limit, share)

    def _set_bucket(self, limit: Limit, share: float) -> None:
        super()._set_bucket(limit, share)
        self._burst = max(1.0, limit.rate.burst * share)
        most = count_reserved(self._burst, RESERVED) + count_reserved(self._burst, RESERVED_ON_DEMAND)
        self.unreserved_s = self.tolerance - min(self._burst - 1, most) * self.interval

    def get_account(self, operator: str, weight: float) -> OperatorAccount:
        """Returns the account of an operator, a new one if it has none."""
        account = self._accounts.get(operator)
        if account is None:
            account = self._accounts[operator] = OperatorAccount(weight)
        account.weight = weight
        return account

    def divide(self, account: OperatorAccount, now: float) -> None:
        """Divides the rate between the operators that called lately; the operator of the account calls now."""
        account.seen_at = now
        active = [each for each in self._accounts.values() if now - each.seen_at <= ACTIVE_S]
        weights = sum(each.weight for each in active)
        for each in active:
            each.parts = weights / each.weight

    def get_ahead_s(self, account: OperatorAccount) -> float:
        """Returns how far an operator may run ahead: its part of the burst, at least one call."""
        return max(0.0, (self._burst - account.parts) * self.interval) + _ROUNDING_S

    def get_wait_of(self, account: OperatorAccount, now: float, *, is_scheduled: bool) -> float:
        """Returns the seconds until this operator may make a call, 0.0 if now."""
        has_reserve = is_scheduled and now - self.on_demand_at <= ACTIVE_S
        for_others = count_reserved(self._burst, RESERVED_ON_DEMAND) if has_reserve else 0.0
        at = self.next_at - self.tolerance
        own_at = account.next_at - self.get_ahead_s(account) if account.parts > 1 else 0.0
        below = max(at + min(self._burst - 1, for_others) * self.interval, own_at)
        above = at + min(self._burst - 1, for_others + count_reserved(self._burst, RESERVED)) * self.interval
        return max(0.0, min(below, above) - now)


class FairShare:
    """One operator's calls on demand, or its scheduled transfers, at one institution."""

    __slots__ = ("_account", "_count_at", "_is_scheduled", "_meter")

    def __init__(self, meter: InstitutionMeter, limit: Limit) -> None:
        self._meter = meter
        self._is_scheduled = limit.is_scheduled
        self._account = meter.get_account(limit.operator, limit.weight)
        self._count_at = float("-inf")

    def take(self, now: float) -> None:
        """Counts one call. Raises Refusal with `retry_after` if none is allowed now.

        PERF: common calls compute no reserve; who calls is noted once a second. An operator never owes more than one
        call beyond its share.
        """
        meter, account = self._meter, self._account
        if now >= self._count_at:
            self._count_at = now + _COUNT_S
            meter.divide(account, now)
            if not self._is_scheduled:
                meter.on_demand_at = now
        next_at = meter.next_at
        if next_at - meter.unreserved_s > now:
            wait_s = meter.get_wait_of(account, now, is_scheduled=self._is_scheduled)
            if wait_s > 0:
                raise Refusal(meter.limit.fault, retry_after=wait_s)
        meter.next_at = max(now, next_at) + meter.interval
        if account.parts > 1:
            own_at = min(max(now, account.next_at), now + meter.get_ahead_s(account))
            account.next_at = own_at + meter.interval * account.parts

    def give_back(self) -> None:
        """Takes back the call that was counted just before."""
        meter, account = self._meter, self._account
        meter.next_at -= meter.interval
        if account.parts > 1:
            account.next_at -= meter.interval * account.parts
