"""The limits that one call counts against, as data: which limits apply to whom, and how high they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from relay.domain.fault import FAULTS, Fault
from relay.domain.quota import CallKey
from relay.policy.settings.scalars import Rate


class LimitKind(StrEnum):
    """What a limit counts. The order is the order of refusals."""

    OPERATOR_PROVIDER = "operator_provider"
    OPERATOR = "operator"
    SERVICE = "service"
    SCHEDULED = "scheduled"
    PROVIDER = "provider"


_FAULTS: Final[Mapping[LimitKind, Fault]] = {
    LimitKind.OPERATOR_PROVIDER: FAULTS["operator_rate"],
    LimitKind.OPERATOR: FAULTS["operator_rate"],
    LimitKind.SERVICE: FAULTS["service_rate"],
    LimitKind.SCHEDULED: FAULTS["scheduled_rate"],
    LimitKind.PROVIDER: FAULTS["provider_rate"],
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: the `key` of its count, its rate, and the fault of a call beyond it.

    A limit with an `operator` is shared fairly: this operator's calls on demand or its scheduled transfers count. Its
    share is in proportion to its `weight`.
    """

    key: str
    rate: Rate
    fault: Fault
    operator: str = ""
    is_scheduled: bool = False
    weight: float = 1.0

    @property
    def is_fair(self) -> bool:
        """Whether operators share the rate."""
        return bool(self.operator)

    @property
    def lease_key(self) -> str:
        """The key of the lease: one for each operator and kind of call that share the rate."""
        return f"{self.key}|{self.operator}|{self.is_scheduled}" if self.operator else self.key


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The rates of the settings. None and a missing institution mean no limit.

    `providers` and `scheduled` are by institution: rates of all calls, and of scheduled transfers. `weights` are by
    operator, 1 for those without.
    """

    operator_provider: Rate
    providers: Mapping[str, Rate]
    scheduled: Mapping[str, Rate | None] = field(default_factory=dict)
    operator: Rate | None = None
    service: Rate | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    def find(self, call: CallKey) -> tuple[Limit, ...]:
        """Returns the limits of a call, in the order of refusals; without a service none of a service."""
        operator, provider, client_id, is_scheduled = call
        rates = (
            (LimitKind.OPERATOR_PROVIDER, f"{operator}:{provider}", self.operator_provider),
            (LimitKind.OPERATOR, operator, self.operator),
            (LimitKind.SERVICE, client_id, self.service if client_id else None),
            (LimitKind.SCHEDULED, provider, self.scheduled.get(provider) if is_scheduled else None),
        )
        limits = [Limit(f"{kind}:{name}", rate, _FAULTS[kind]) for kind, name, rate in rates if rate is not None]
        rate = self.providers.get(provider)
        if rate is not None:
            kind = LimitKind.PROVIDER
            weight = self.weights.get(operator, 1.0)
            limits.append(Limit(f"{kind}:{provider}", rate, _FAULTS[kind], operator, is_scheduled, weight))
        return tuple(limits)
