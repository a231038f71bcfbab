"""Builds the body of 지원-005: one institution, one week, one type (규격 지원-005, 첨부11, 첨부12).

Every value is a JSON string (첨부2). All seven days and both slots of every API are present, zeros included. A service
is listed on a day when it called that day or, in type 2, when it has consent figures. The full rule:
`docs/operate/statistics.md`. Equal figures make equal bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from relay.domain.statistics import ON_DEMAND, SCHEDULED, SLOTS, ConsentCount, Line
from relay.policy.statistics.weeks import days_of

TYPES: Final = (SCHEDULED, ON_DEMAND)
"""통계정보 구분, in the order of sending."""


class Calls(NamedTuple):
    """Numbers of successful (00000, 00001) and failed calls."""

    successes: int = 0
    failures: int = 0

    def plus(self, line: Line, count: int) -> "Calls":
        """Returns these calls plus `count` of a line."""
        if line.success:
            return Calls(self.successes + count, self.failures)
        return Calls(self.successes, self.failures + count)


NO_CALLS: Final = Calls()


class _Service(NamedTuple):
    """A service on one day; its order is the order in the report."""

    stat_date: str
    operator: str
    client_id: str


_Apis = dict[str, dict[str, Calls]]
"""Calls by api_code and slot."""


def is_sent(line: Line) -> bool:
    """Returns whether a line belongs into a report: API, operator and service of the call are known."""
    return bool(line.operator and line.client_id and line.api_code)


def build_report(
    week: str, provider: str, kind: str, counts: Iterable[tuple[Line, int]], consents: Iterable[ConsentCount]
) -> dict[str, Any]:
    """Returns the body for a week (its inquiry_date), a member and a type of TYPES.

    Lines and consents of other members, days and types are ignored. Raises ValueError when `week` is no Sunday.
    """
    days = days_of(week)
    apis = _sum_calls(days, provider, kind, counts)
    consents_by_service = _select_consents(days, provider, consents) if kind == ON_DEMAND else {}
    return {
        "org_code": provider,
        "type": kind,
        "inquiry_date": week,
        "stat_date_cnt": str(len(days)),
        "stat_date_list": [_build_day(day, kind, apis, consents_by_service) for day in days],
    }


def serialize_report(report: Mapping[str, Any]) -> bytes:
    """Returns a report in the bytes that are stored: UTF-8, without spaces."""
    return json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()


def _sum_calls(
    days: tuple[str, ...], provider: str, kind: str, counts: Iterable[tuple[Line, int]]
) -> Mapping[_Service, _Apis]:
    apis: dict[_Service, _Apis] = {}
    for line, count in counts:
        if line.provider == provider and line.type == kind and line.stat_date in days and is_sent(line):
            service = _Service(line.stat_date, line.operator, line.client_id)
            slots = apis.setdefault(service, {}).setdefault(line.api_code, {})
            slots[line.tm_slot] = slots.get(line.tm_slot, NO_CALLS).plus(line, count)
    return apis


def _select_consents(
    days: tuple[str, ...], provider: str, consents: Iterable[ConsentCount]
) -> Mapping[_Service, ConsentCount]:
    return {
        _Service(count.stat_date, count.operator, count.client_id): count
        for count in consents
        if count.provider == provider and count.stat_date in days and (count.new or count.revoked or count.own)
    }


def _build_day(
    day: str, kind: str, apis: Mapping[_Service, _Apis], consents: Mapping[_Service, ConsentCount]
) -> dict[str, Any]:
    present = sorted(service for service in apis.keys() | consents.keys() if service.stat_date == day)
    services = [_build_service(service, kind, apis.get(service, {}), consents.get(service)) for service in present]
    return {"stat_date": day, "mydata_svc_cnt": str(len(services)), "mydata_svc_list": services}


def _build_service(service: _Service, kind: str, apis: _Apis, consents: ConsentCount | None) -> dict[str, Any]:
    consent_fields = dict(_consent_fields(consents)) if kind == ON_DEMAND else {}
    return {
        "org_code": service.operator,
        "client_id": service.client_id,
        **consent_fields,
        "api_type_cnt": str(len(apis)),
        "api_type_list": [_build_api(api_code, apis[api_code]) for api_code in sorted(apis)],
    }


def _consent_fields(consents: ConsentCount | None) -> Iterator[tuple[str, str]]:
    yield "consent_new", str(consents.new if consents else 0)
    yield "consent_revoke", str(consents.revoked if consents else 0)
    yield "consent_own", str(consents.own if consents else 0)


def _build_api(api_code: str, slots: Mapping[str, Calls]) -> dict[str, Any]:
    return {
        "api_type": api_code,
        "tm_slot_cnt": str(len(SLOTS)),
        "tm_slot_list": [_build_slot(slot, slots.get(slot, NO_CALLS)) for slot in SLOTS],
    }


def _build_slot(slot: str, calls: Calls) -> dict[str, str]:
    return {"tm_slot": slot, "success_api_cnt": str(calls.successes), "fail_api_cnt": str(calls.failures)}
