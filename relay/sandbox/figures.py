"""What an operator counts of its own calls, and the statistics it tells the portal (지원-004)."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from relay.domain.authorization.consent import KOREA
from relay.domain.statistics import ON_DEMAND, SCHEDULED, SLOTS
from relay.policy.statistics.weeks import days_of

_DAYTIME: Final = range(9, 18)
"""Hours of slot 00: 09:00:00 to 17:59:59 (첨부11)."""

_MS_MOST: Final = 999_999
"""N(6)."""


class _Place(NamedTuple):
    """Where a call is counted."""

    client_id: str
    type: str
    day: str
    provider: str
    api_code: str
    slot: str


@dataclass(slots=True)
class _Tally:
    """Calls of one place: how many went well and not, how long each took in ms."""

    success: int = 0
    fail: int = 0
    took: list[float] = field(default_factory=list)


class _Given(NamedTuple):
    """A consent that a customer gave (`own` 1) or took back (0) at an institution, on a day."""

    client_id: str
    day: str
    provider: str
    customer: int
    own: int


class Figures:
    """Counts as answers end; `clock` tells the moment, with a time zone. Days and slots are those of Korea."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._tallies: dict[_Place, _Tally] = defaultdict(_Tally)
        self._consents: list[_Given] = []

    def answered(
        self, provider: str, client_id: str, api_code: str, *, ok: bool, ms: float, scheduled: bool = False
    ) -> None:
        """A call of a service was answered after `ms`; `ok` is whether with 00000 or 00001."""
        moment = self._clock().astimezone(KOREA)
        slot = SLOTS[0] if moment.hour in _DAYTIME else SLOTS[1]
        kind = SCHEDULED if scheduled else ON_DEMAND
        tally = self._tallies[_Place(client_id, kind, f"{moment:%Y%m%d}", provider, api_code, slot)]
        tally.took.append(ms)
        if ok:
            tally.success += 1
        else:
            tally.fail += 1

    def consented(self, provider: str, client_id: str, customer: int) -> None:
        """A customer consented, anew or with a change."""
        self._consents.append(_Given(client_id, self._today(), provider, customer, 1))

    def withdrew(self, provider: str, client_id: str, customer: int) -> None:
        """A customer took the consent back."""
        self._consents.append(_Given(client_id, self._today(), provider, customer, 0))

    def body(self, client_id: str, kind: str, week: str) -> dict[str, Any]:
        """The request body of 지원-004 for one service, type (`1`, `2`) and week (inquiry_date, a Sunday)."""
        days = [{"stat_date": day, **self._day(client_id, kind, day)} for day in days_of(week)]
        return {
            "type": kind,
            "client_id": client_id,
            "inquiry_date": week,
            "stat_date_cnt": str(len(days)),
            "stat_date_list": days,
        }

    def _day(self, client_id: str, kind: str, day: str) -> dict[str, Any]:
        called = {place for place in self._tallies if place[:3] == (client_id, kind, day)}
        providers = {place.provider for place in called}
        consents = self._consents_on(client_id, day) if kind == ON_DEMAND else {}
        rows = [
            {
                "org_code": provider,
                **({} if kind == SCHEDULED else consents.get(provider, _consents(0, 0, 0))),
                **self._apis(place for place in called if place.provider == provider),
            }
            for provider in sorted(providers | consents.keys())
        ]
        return {"org_cnt": str(len(rows)), "org_list": rows}

    def _apis(self, places: Iterable[_Place]) -> dict[str, Any]:
        by_code: dict[str, dict[str, _Tally]] = defaultdict(dict)
        for place in places:
            by_code[place.api_code][place.slot] = self._tallies[place]
        rows = [
            {
                "api_type": code,
                "tm_slot_cnt": str(len(SLOTS)),
                "tm_slot_list": [_slot(slot, tallies.get(slot, _Tally())) for slot in SLOTS],
            }
            for code, tallies in sorted(by_code.items())
        ]
        return {"api_type_cnt": str(len(rows)), "api_type_list": rows}

    def _consents_on(self, client_id: str, day: str) -> dict[str, dict[str, str]]:
        """consent_* by institution, for those with any of them above zero."""
        found = {}
        for provider in {each.provider for each in self._consents}:
            until = [
                each
                for each in self._consents
                if (each.client_id, each.provider) == (client_id, provider) and each.day <= day
            ]
            own = {each.customer: each.own for each in until}
            today = [each.own for each in until if each.day == day]
            counts = (sum(today), len(today) - sum(today), sum(own.values()))
            if any(counts):
                found[provider] = _consents(*counts)
        return found

    def _today(self) -> str:
        return f"{self._clock().astimezone(KOREA):%Y%m%d}"


def _consents(new: int, revoked: int, own: int) -> dict[str, str]:
    return {"consent_new": str(new), "consent_revoke": str(revoked), "consent_own": str(own)}


def _slot(slot: str, tally: _Tally) -> dict[str, str]:
    mean = statistics.fmean(tally.took) if tally.took else 0.0
    deviation = statistics.pstdev(tally.took) if tally.took else 0.0
    return {
        "tm_slot": slot,
        "rsp_avg": str(min(round(mean), _MS_MOST)),
        "rsp_total": str(round(sum(tally.took))),
        "rsp_stdev": str(min(round(deviation), _MS_MOST)),
        "success_api_cnt": str(tally.success),
        "fail_api_cnt": str(tally.fail),
    }
