"""What decides fees: the operators' statistics (지원-004) held against the relay's (지원-005), call by call."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Body = Mapping[str, Any]


class Place(NamedTuple):
    """What one pair of figures is about. `week` is the inquiry_date, `api_type` the code of 첨부12."""

    week: str
    provider: str
    operator: str
    client_id: str
    type: str
    stat_date: str
    api_type: str
    tm_slot: str

    def words(self) -> str:
        """The place as people read it."""
        return (
            f"{self.stat_date} slot {self.tm_slot}, {self.operator} {self.client_id} at {self.provider}, "
            f"type {self.type}, {self.api_type}"
        )


class Figures(NamedTuple):
    """success_api_cnt and fail_api_cnt."""

    success: int
    fail: int

    def words(self) -> str:
        """The figures as people read them."""
        return f"{self.success} ok {self.fail} failed"


_NONE = Figures(0, 0)


def compare(uploads_004: Sequence[tuple[str, Body]], uploads_005: Sequence[Body]) -> list[str]:
    """Every difference, one sentence each, in the order of days; empty when both sides agree.

    `uploads_004` are request bodies with the org_code of the operator that sent each. Of several uploads about the same
    week, service or institution, and type, the last one counts. What one side does not mention it counts as zero.
    Raises KeyError, TypeError or ValueError for a body that is not one of 지원-004 or 지원-005.
    """
    told, twice = _gathered([("operator", _of_004(*each)) for each in _last_004(uploads_004)])
    counted, again = _gathered([("relay", _of_005(each)) for each in _last_005(uploads_005)])
    places = sorted(told.keys() | counted.keys(), key=lambda place: (place.stat_date, place))
    differences = [
        f"{place.words()}: the operator says {told.get(place, _NONE).words()}, "
        f"the relay {counted.get(place, _NONE).words()}"
        for place in places
        if told.get(place, _NONE) != counted.get(place, _NONE)
    ]
    return twice + again + differences


def _last_004(uploads: Sequence[tuple[str, Body]]) -> Iterable[tuple[str, Body]]:
    return {
        (body["inquiry_date"], sender, body["client_id"], body["type"]): (sender, body) for sender, body in uploads
    }.values()


def _last_005(uploads: Sequence[Body]) -> Iterable[Body]:
    return {(body["inquiry_date"], body["org_code"], body["type"]): body for body in uploads}.values()


def _gathered(uploads: Iterable[tuple[str, Iterator[tuple[Place, Figures]]]]) -> tuple[dict[Place, Figures], list[str]]:
    """All figures by place, and a sentence for each place that one upload tells twice."""
    found: dict[Place, Figures] = {}
    twice: list[str] = []
    for who, figures in uploads:
        for place, each in figures:
            if place in found:
                twice.append(f"{place.words()}: the {who} says it twice")
            found[place] = each
    return found, twice


def _of_004(operator: str, body: Body) -> Iterator[tuple[Place, Figures]]:
    for day in body["stat_date_list"]:
        for provider in day.get("org_list", ()):
            for api_type, tm_slot, figures in _slots(provider):
                yield (
                    Place(
                        body["inquiry_date"],
                        provider["org_code"],
                        operator,
                        body["client_id"],
                        body["type"],
                        day["stat_date"],
                        api_type,
                        tm_slot,
                    ),
                    figures,
                )


def _of_005(body: Body) -> Iterator[tuple[Place, Figures]]:
    for day in body["stat_date_list"]:
        for service in day.get("mydata_svc_list", ()):
            for api_type, tm_slot, figures in _slots(service):
                yield (
                    Place(
                        body["inquiry_date"],
                        body["org_code"],
                        service["org_code"],
                        service["client_id"],
                        body["type"],
                        day["stat_date"],
                        api_type,
                        tm_slot,
                    ),
                    figures,
                )


def _slots(holder: Body) -> Iterator[tuple[str, str, Figures]]:
    for api in holder.get("api_type_list", ()):
        for slot in api["tm_slot_list"]:
            yield (
                api["api_type"],
                slot["tm_slot"],
                Figures(int(slot["success_api_cnt"]), int(slot["fail_api_cnt"])),
            )
