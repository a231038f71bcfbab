"""Statistics of an operator: counts its calls and builds its report to the portal (지원-004)."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from mydata_sandbox.checks.weeks import days_of
from relay.domain.korea import KOREA
from relay.domain.statistics import ON_DEMAND, SCHEDULED, SLOTS

_DAYTIME: Final = range(9, 18)
"""Hours of slot 00: 09:00:00 to 17:59:59 (첨부11)."""

_MAX_MS: Final = 999_999
"""N(6)."""


class _Key(NamedTuple):
    """The key of a counter."""

    client_id: str
    type: str
    day: str
    provider: str
    api_code: str
    slot: str


@dataclass(slots=True)
class _Counter:
    """Calls of one key: successes, failures, and durations in ms."""

    success: int = 0
    fail: int = 0
    durations_ms: list[float] = field(default_factory=list)


class _ConsentChange(NamedTuple):
    """A consent that a customer gave (`own` 1) or revoked (0) at an institution, on a day."""

    client_id: str
    day: str
    provider: str
    customer: int
    own: int


class Figures:
    """Counts calls and consents. `clock` returns an aware datetime. Days and slots are in Korean time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._counters: dict[_Key, _Counter] = defaultdict(_Counter)
        self._consents: list[_ConsentChange] = []

    def count_call(
        self, provider: str, client_id: str, api_code: str, *, ok: bool, ms: float, scheduled: bool = False
    ) -> None:
        """Counts a call of a service that took `ms` milliseconds. `ok` is True for 00000 and 00001."""
        moment = self._clock().astimezone(KOREA)
        slot = SLOTS[0] if moment.hour in _DAYTIME else SLOTS[1]
        kind = SCHEDULED if scheduled else ON_DEMAND
        counter = self._counters[_Key(client_id, kind, f"{moment:%Y%m%d}", provider, api_code, slot)]
        counter.durations_ms.append(ms)
        if ok:
            counter.success += 1
        else:
            counter.fail += 1

    def count_consent(self, provider: str, client_id: str, customer: int) -> None:
        """Counts a new or changed consent."""
        self._consents.append(_ConsentChange(client_id, self._today(), provider, customer, 1))

    def count_withdrawal(self, provider: str, client_id: str, customer: int) -> None:
        """Counts a revoked consent."""
        self._consents.append(_ConsentChange(client_id, self._today(), provider, customer, 0))

    def body(self, client_id: str, kind: str, week: str) -> dict[str, Any]:
        """Returns the request body of 지원-004 for one service, type (`1`, `2`) and week (inquiry_date, a Sunday)."""
        days = [{"stat_date": day, **self._day(client_id, kind, day)} for day in days_of(week)]
        return {
            "type": kind,
            "client_id": client_id,
            "inquiry_date": week,
            "stat_date_cnt": str(len(days)),
            "stat_date_list": days,
        }

    def _day(self, client_id: str, kind: str, day: str) -> dict[str, Any]:
        keys = {key for key in self._counters if key[:3] == (client_id, kind, day)}
        providers = {key.provider for key in keys}
        consents = self._consents_on(client_id, day) if kind == ON_DEMAND else {}
        rows = [
            {
                "org_code": provider,
                **({} if kind == SCHEDULED else consents.get(provider, _consents(0, 0, 0))),
                **self._apis(key for key in keys if key.provider == provider),
            }
            for provider in sorted(providers | consents.keys())
        ]
        return {"org_cnt": str(len(rows)), "org_list": rows}

    def _apis(self, keys: Iterable[_Key]) -> dict[str, Any]:
        by_code: dict[str, dict[str, _Counter]] = defaultdict(dict)
        for key in keys:
            by_code[key.api_code][key.slot] = self._counters[key]
        rows = [
            {
                "api_type": code,
                "tm_slot_cnt": str(len(SLOTS)),
                "tm_slot_list": [_slot(slot, counters.get(slot, _Counter())) for slot in SLOTS],
            }
            for code, counters in sorted(by_code.items())
        ]
        return {"api_type_cnt": str(len(rows)), "api_type_list": rows}

    def _consents_on(self, client_id: str, day: str) -> dict[str, dict[str, str]]:
        """Returns consent_* by institution, without institutions where all are zero."""
        counts_by_provider = {}
        for provider in {change.provider for change in self._consents}:
            changes = [
                change
                for change in self._consents
                if (change.client_id, change.provider) == (client_id, provider) and change.day <= day
            ]
            owned = {change.customer: change.own for change in changes}
            today = [change.own for change in changes if change.day == day]
            counts = (sum(today), len(today) - sum(today), sum(owned.values()))
            if any(counts):
                counts_by_provider[provider] = _consents(*counts)
        return counts_by_provider

    def _today(self) -> str:
        return f"{self._clock().astimezone(KOREA):%Y%m%d}"


def _consents(new: int, revoked: int, own: int) -> dict[str, str]:
    return {"consent_new": str(new), "consent_revoke": str(revoked), "consent_own": str(own)}


def _slot(slot: str, counter: _Counter) -> dict[str, str]:
    mean = statistics.fmean(counter.durations_ms) if counter.durations_ms else 0.0
    deviation = statistics.pstdev(counter.durations_ms) if counter.durations_ms else 0.0
    return {
        "tm_slot": slot,
        "rsp_avg": str(min(round(mean), _MAX_MS)),
        "rsp_total": str(round(sum(counter.durations_ms))),
        "rsp_stdev": str(min(round(deviation), _MAX_MS)),
        "success_api_cnt": str(counter.success),
        "fail_api_cnt": str(counter.fail),
    }
