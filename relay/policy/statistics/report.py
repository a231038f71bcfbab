"""The body of 지원-005: what one institution's services did in one week, of one type (규격 지원-005, 첨부11, 첨부12).

Every value is a JSON string (첨부2). All seven days are there, and both slots of every API, zeros included. A service
stands on a day when it called that day or, in type 2, when it has a figure of consents (`docs/operate/statistics.md`).
The same figures make the same bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from relay.domain.statistics import ON_DEMAND, SCHEDULED, SLOTS, ConsentCount, Line
from relay.policy.statistics.weeks import days_of

TYPES: Final = (SCHEDULED, ON_DEMAND)
"""통계정보 구분, in the order they are sent in."""


class Calls(NamedTuple):
    """How many calls succeeded (00000, 00001), how many failed."""

    successes: int = 0
    failures: int = 0

    def more(self, line: Line, count: int) -> "Calls":
        """Add `count` of a line."""
        if line.success:
            return Calls(self.successes + count, self.failures)
        return Calls(self.successes, self.failures + count)


NO_CALLS: Final = Calls()


class _Service(NamedTuple):
    """A service on one day; the order of what is sent."""

    stat_date: str
    operator: str
    client_id: str


_Apis = dict[str, dict[str, Calls]]
"""Calls by api_code and slot."""


def is_sent(line: Line) -> bool:
    """Whether a line belongs into a report: it is known which API was called and which service of whom called it."""
    return bool(line.operator and line.client_id and line.api_code)


def provider_report(
    week: str, provider: str, kind: str, counts: Iterable[tuple[Line, int]], consents: Iterable[ConsentCount]
) -> dict[str, Any]:
    """The body for a week (its inquiry_date), a member and a type of TYPES.

    Lines and consents of other members, days and types are passed over. Raises ValueError when `week` is no Sunday.
    """
    days = days_of(week)
    apis = _apis(days, provider, kind, counts)
    held = _consents(days, provider, consents) if kind == ON_DEMAND else {}
    return {
        "org_code": provider,
        "type": kind,
        "inquiry_date": week,
        "stat_date_cnt": str(len(days)),
        "stat_date_list": [_day(day, kind, apis, held) for day in days],
    }


def content_of(report: Mapping[str, Any]) -> bytes:
    """A report as the bytes that are kept of it: UTF-8, without a space."""
    return json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()


def _apis(
    days: tuple[str, ...], provider: str, kind: str, counts: Iterable[tuple[Line, int]]
) -> Mapping[_Service, _Apis]:
    found: dict[_Service, _Apis] = {}
    for line, count in counts:
        if line.provider == provider and line.type == kind and line.stat_date in days and is_sent(line):
            service = _Service(line.stat_date, line.operator, line.client_id)
            slots = found.setdefault(service, {}).setdefault(line.api_code, {})
            slots[line.tm_slot] = slots.get(line.tm_slot, NO_CALLS).more(line, count)
    return found


def _consents(
    days: tuple[str, ...], provider: str, consents: Iterable[ConsentCount]
) -> Mapping[_Service, ConsentCount]:
    return {
        _Service(one.stat_date, one.operator, one.client_id): one
        for one in consents
        if one.provider == provider and one.stat_date in days and (one.new or one.revoked or one.own)
    }


def _day(
    day: str, kind: str, apis: Mapping[_Service, _Apis], consents: Mapping[_Service, ConsentCount]
) -> dict[str, Any]:
    there = sorted(service for service in apis.keys() | consents.keys() if service.stat_date == day)
    services = [_service(one, kind, apis.get(one, {}), consents.get(one)) for one in there]
    return {"stat_date": day, "mydata_svc_cnt": str(len(services)), "mydata_svc_list": services}


def _service(service: _Service, kind: str, apis: _Apis, consents: ConsentCount | None) -> dict[str, Any]:
    held = dict(_held(consents)) if kind == ON_DEMAND else {}
    return {
        "org_code": service.operator,
        "client_id": service.client_id,
        **held,
        "api_type_cnt": str(len(apis)),
        "api_type_list": [_api(api_code, apis[api_code]) for api_code in sorted(apis)],
    }


def _held(consents: ConsentCount | None) -> Iterator[tuple[str, str]]:
    yield "consent_new", str(consents.new if consents else 0)
    yield "consent_revoke", str(consents.revoked if consents else 0)
    yield "consent_own", str(consents.own if consents else 0)


def _api(api_code: str, slots: Mapping[str, Calls]) -> dict[str, Any]:
    return {
        "api_type": api_code,
        "tm_slot_cnt": str(len(SLOTS)),
        "tm_slot_list": [_slot(slot, slots.get(slot, NO_CALLS)) for slot in SLOTS],
    }


def _slot(slot: str, calls: Calls) -> dict[str, str]:
    return {"tm_slot": slot, "success_api_cnt": str(calls.successes), "fail_api_cnt": str(calls.failures)}
