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
    """What one operator used of its share: `next_at` is the theoretical time of its next call (GCRA)."""

    __slots__ = ("next_at", "seen_at")

    def __init__(self) -> None:
        self.next_at = 0.0
        self.seen_at = float("-inf")


class InstitutionMeter(Meter):
    """Counts the calls at one institution, and those of each operator against its equal share of the rate."""

    __slots__ = ("_accounts", "_burst", "_counted_at", "on_demand_at", "operators", "unreserved_s")

    def __init__(self, limit: Limit, share: float = 1.0) -> None:
        self._accounts: dict[str, OperatorAccount] = {}
        self._counted_at = self.on_demand_at = float("-inf")
        self.operators = 1
        super().__init__(limit, share)

    def _set_bucket(self, limit: Limit, share: float) -> None:
        super()._set_bucket(limit, share)
        self._burst = max(1.0, limit.rate.burst * share)
        most = min(self._burst - 1, self._get_reserved(RESERVED) + self._get_reserved(RESERVED_ON_DEMAND))
        self.unreserved_s = self.tolerance - most * self.interval

    def _get_reserved(self, part: float) -> float:
        return count_reserved(self._burst, part)

    def get_account(self, operator: str) -> OperatorAccount:
        """Returns the account of an operator, a new one if it has none."""
        account = self._accounts.get(operator)
        if account is None:
            account = self._accounts[operator] = OperatorAccount()
        return account

    def note_call(self, account: OperatorAccount, now: float) -> None:
        """Counts the operators that called lately, each second and when one comes back."""
        is_back, account.seen_at = now - account.seen_at > ACTIVE_S, now
        if is_back or now - self._counted_at >= _COUNT_S:
            self._counted_at = now
            self.operators = sum(now - each.seen_at <= ACTIVE_S for each in self._accounts.values())

    def get_wait_of(self, account: OperatorAccount, now: float, *, is_scheduled: bool) -> float:
        """Returns the seconds until this operator may make a call, 0.0 if now."""
        has_reserve = is_scheduled and now - self.on_demand_at <= ACTIVE_S
        for_others = self._get_reserved(RESERVED_ON_DEMAND) if has_reserve else 0.0
        at = self.next_at - self.tolerance
        own_at = account.next_at - self.get_own_tolerance()
        below = max(at + min(self._burst - 1, for_others) * self.interval, own_at if self.operators > 1 else 0.0)
        above = at + min(self._burst - 1, for_others + self._get_reserved(RESERVED)) * self.interval
        return max(0.0, min(below, above) - now)

    def get_own_tolerance(self) -> float:
        """Returns the seconds that an operator may run ahead of its share: its part of the burst, at least one call."""
        return max(0.0, (self._burst - self.operators) * self.interval) + _ROUNDING_S


class FairShare:
    """One operator's calls on demand, or its scheduled transfers, at one institution."""

    __slots__ = ("_account", "_is_scheduled", "meter")

    def __init__(self, meter: InstitutionMeter, operator: str, *, is_scheduled: bool) -> None:
        self.meter = meter
        self._is_scheduled = is_scheduled
        self._account = meter.get_account(operator)

    def check(self, now: float) -> None:
        """Raises Refusal with `retry_after` if no call is allowed now. PERF: common calls do not compute a reserve."""
        meter = self.meter
        if not self._is_scheduled:
            meter.on_demand_at = now
        meter.note_call(self._account, now)
        if meter.next_at - meter.unreserved_s > now:
            wait_s = meter.get_wait_of(self._account, now, is_scheduled=self._is_scheduled)
            if wait_s > 0:
                raise Refusal(meter.limit.fault, retry_after=wait_s)

    def count(self, now: float) -> None:
        """Counts one call. An operator never owes more than one call beyond its share."""
        meter, account = self.meter, self._account
        meter.next_at = max(now, meter.next_at) + meter.interval
        share_s = meter.interval * meter.operators
        account.next_at = min(max(now, account.next_at), now + meter.get_own_tolerance()) + share_s
