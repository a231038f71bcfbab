"""Checks the rows of an answer against what was asked: limit, next_page, order, period, asset."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from relay.domain.api import Api, AssetRule, PeriodRule, SortKey
from relay.policy.answers.rules import Report, Rule
from relay.policy.call.fields import to_text

Members = Mapping[str, object]

_LIMITS: Final = frozenset(f"{limit:0{width}}" for limit in range(1, 501) for width in (1, 2, 3))
_CALENDAR: Final = frozenset({"DATE", "DTIME", "DTIME|DATE"})


class RowRules:
    """The rules for the rows of one API's answers; `parameters` are those of the call."""

    __slots__ = ("_asset", "_dates", "_has_pages", "_order", "_path", "_period", "_rows")

    def __init__(self, api: Api) -> None:
        names = {field.name for field in api.request.path + api.request.query + api.request.body}
        self._has_pages = {"limit", "next_page"} <= names
        self._asset = api.asset
        self._period = api.period
        self._order = api.order
        self._rows = api.rows.name if api.rows else ""
        self._path = f"{self._rows}[]."
        fields = api.rows.fields if api.rows else ()
        self._dates = frozenset(field.name for field in fields if field.type in _CALENDAR)

    def check(self, members: Members, parameters: Members, report: Report) -> None:
        """Reports each broken rule."""
        value = members.get(self._rows)
        rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
        if self._has_pages:
            self._check_pages(members, len(rows), parameters, report)
        if self._order and not _are_sorted(rows, self._order, self._dates):
            report(Rule.ORDER, self._path + self._order[0].field)
        if self._period is not None:
            self._check_period(self._period, rows, parameters, report)
        if self._asset is not None:
            self._check_asset(self._asset, [("", members), *((self._path, row) for row in rows)], parameters, report)

    def _check_pages(self, members: Members, rows: int, parameters: Members, report: Report) -> None:
        limit, cursor = to_text(parameters.get("limit")), to_text(members.get("next_page"))
        if limit in _LIMITS and rows > int(limit):
            report(Rule.LIMIT, self._rows)
        if cursor and cursor == to_text(parameters.get("next_page")):
            report(Rule.NEXT_PAGE, "next_page")

    def _check_period(self, period: PeriodRule, rows: Sequence[Members], parameters: Members, report: Report) -> None:
        first, last = to_text(parameters.get(period.start)), to_text(parameters.get(period.end))
        if not (first and len(first) == len(last)):
            return
        for row in rows:
            dates = [text[: len(first)] for name in period.rows if (text := to_text(row.get(name))).isdigit()]
            if dates and not any(first <= date <= last for date in dates):
                report(Rule.PERIOD, self._path + period.rows[0])
                return

    def _check_asset(
        self, asset: AssetRule, objects: Sequence[tuple[str, Members]], parameters: Members, report: Report
    ) -> None:
        """Reports another asset. No answer of the standard repeats the asset, but institutions add it."""
        for name in (asset.field, asset.seqno):
            wanted = to_text(parameters.get(name)) if name else ""
            for path, members in objects if wanted else ():
                given = to_text(members.get(name))
                if given and given != wanted:
                    report(Rule.ASSET, path + name)
                    break


def _are_sorted(rows: Sequence[Members], order: Sequence[SortKey], dates: frozenset[str]) -> bool:
    """Returns whether rows are sorted. Rows without the first sort key have no place and are left out."""
    keys = [[to_text(row.get(key.field)) for key in order] for row in rows]
    placed = [texts for texts in keys if texts[0]]
    return all(_precedes(former, latter, order, dates) for former, latter in pairwise(placed))


def _precedes(former: Sequence[str], latter: Sequence[str], order: Sequence[SortKey], dates: frozenset[str]) -> bool:
    """Returns whether a row may stand before another one.

    A day and a time of it are equal. Other texts of different length have no defined order: `20` and `100`.
    """
    for key, before, after in zip(order, former, latter, strict=True):
        length = min(len(before), len(after))
        if len(before) != len(after) and key.field not in dates:
            return True
        before, after = before[:length], after[:length]  # noqa: PLW2901 - the part that both have
        if before != after:
            return (before > after) is key.is_descending
    return True
