"""Compares the statistics that decide fees: the operators' (지원-004) with the relay's (지원-005)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Body = Mapping[str, Any]


class Key(NamedTuple):
    """The key of a pair of figures. `week` is the inquiry_date, `api_type` the code of 첨부12."""

    week: str
    provider: str
    operator: str
    client_id: str
    type: str
    stat_date: str
    api_type: str
    tm_slot: str

    def describe(self) -> str:
        """Returns the key as readable text."""
        return (
            f"{self.stat_date} slot {self.tm_slot}, {self.operator} {self.client_id} at {self.provider}, "
            f"type {self.type}, {self.api_type}"
        )


class Figures(NamedTuple):
    """success_api_cnt and fail_api_cnt."""

    success: int
    fail: int

    def describe(self) -> str:
        """Returns the figures as readable text."""
        return f"{self.success} ok {self.fail} failed"


_NONE = Figures(0, 0)


def compare(uploads_004: Sequence[tuple[str, Body]], uploads_005: Sequence[Body]) -> list[str]:
    """Returns one sentence for each difference, by day. The list is empty when both sides agree.

    `uploads_004` are request bodies with the org_code of the operator that sent each. Of several uploads about the same
    week, service or institution, and type, the last one counts. A missing figure counts as zero.
    Raises KeyError, TypeError or ValueError for a body that is not one of 지원-004 or 지원-005.
    """
    operator_figures, operator_duplicates = _collect(
        [("operator", _iter_004(*upload)) for upload in _last_004(uploads_004)]
    )
    relay_figures, relay_duplicates = _collect([("relay", _iter_005(upload)) for upload in _last_005(uploads_005)])
    keys = sorted(operator_figures.keys() | relay_figures.keys(), key=lambda key: (key.stat_date, key))
    differences = [
        f"{key.describe()}: the operator reports {operator_figures.get(key, _NONE).describe()}, "
        f"the relay {relay_figures.get(key, _NONE).describe()}"
        for key in keys
        if operator_figures.get(key, _NONE) != relay_figures.get(key, _NONE)
    ]
    return operator_duplicates + relay_duplicates + differences


def _last_004(uploads: Sequence[tuple[str, Body]]) -> Iterable[tuple[str, Body]]:
    return {
        (body["inquiry_date"], sender, body["client_id"], body["type"]): (sender, body) for sender, body in uploads
    }.values()


def _last_005(uploads: Sequence[Body]) -> Iterable[Body]:
    return {(body["inquiry_date"], body["org_code"], body["type"]): body for body in uploads}.values()


def _collect(uploads: Iterable[tuple[str, Iterator[tuple[Key, Figures]]]]) -> tuple[dict[Key, Figures], list[str]]:
    """Returns figures by key, and a sentence for each key that occurs twice in an upload."""
    collected: dict[Key, Figures] = {}
    duplicates: list[str] = []
    for sender, figures in uploads:
        for key, figure in figures:
            if key in collected:
                duplicates.append(f"{key.describe()}: the {sender} reports it twice")
            collected[key] = figure
    return collected, duplicates


def _iter_004(operator: str, body: Body) -> Iterator[tuple[Key, Figures]]:
    for day in body["stat_date_list"]:
        for provider in day.get("org_list", ()):
            for api_type, tm_slot, figures in _iter_slots(provider):
                yield (
                    Key(
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


def _iter_005(body: Body) -> Iterator[tuple[Key, Figures]]:
    for day in body["stat_date_list"]:
        for service in day.get("mydata_svc_list", ()):
            for api_type, tm_slot, figures in _iter_slots(service):
                yield (
                    Key(
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


def _iter_slots(holder: Body) -> Iterator[tuple[str, str, Figures]]:
    for api in holder.get("api_type_list", ()):
        for slot in api["tm_slot_list"]:
            yield (
                api["api_type"],
                slot["tm_slot"],
                Figures(int(slot["success_api_cnt"]), int(slot["fail_api_cnt"])),
            )
