"""Compares pages: whether they end, whether small pages together are a large one, which rows are in a period."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from relay.domain.api import Api
from relay.policy.call.fields import to_text
from relay.policy.conformance.parameters import Period

EMPTY_PAGES: Final = 3
"""Pages without rows, one after another, that an institution may send. Empty pages are legal (규격 2.3)."""

FEW_ROWS: Final = 3
"""Rows of a list of which small pages are made: two pages of 2."""
ENOUGH_ROWS: Final = 7
"""Rows of a period for which small pages are walked."""

_CHANGING: Final = frozenset({"search_timestamp", "next_page", "rsp_msg"})

Row = Mapping[str, Any]


def list_rows(api: Api, members: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of an answer, none if it has no list."""
    rows = members.get(api.rows.name) if api.rows is not None else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def count_rows(rows: Iterable[Row]) -> Counter[str]:
    """Returns how often each row occurs; the order of rows and members does not matter."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def compare_bodies(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Returns whether two answers have the same content.

    search_timestamp is the time of each; next_page may differ each time, as it does if it is encrypted.
    """
    return _select_content(left) == _select_content(right)


def _select_content(members: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the members that must not differ; lists as counted rows, as a wrong order has a rule of its own."""
    return {
        name: count_rows(value) if isinstance(value, list) else value
        for name, value in members.items()
        if name not in _CHANGING
    }


class PageWatch:
    """Takes the pages of one walk and says whether they can end. `rows` are those of all pages.

    `is_stale`: the last pages have brought no new row.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._cursors: set[str] = set()
        self._known: Counter[str] = Counter()
        self._empty = 0
        self._stale = 0

    @property
    def is_stale(self) -> bool:
        """Whether several pages one after another have repeated rows of earlier pages."""
        return self._stale > EMPTY_PAGES

    def add(self, rows: Sequence[Row], cursor: str) -> bool:
        """Adds a page and its next_page, "" on the last one. Returns whether the pages go on for ever.

        They do if a next_page comes again, or if several pages one after another are empty.
        """
        counts = count_rows(rows)
        self._stale = 0 if counts - self._known else self._stale + 1
        self._empty = 0 if rows else self._empty + 1
        self._known |= counts
        self.rows += rows
        is_endless = cursor in self._cursors or self._empty > EMPTY_PAGES
        self._cursors.add(cursor)
        return bool(cursor) and is_endless


def find_days(api: Api, row: Row, width: int) -> tuple[str, ...]:
    """Returns the days or months of a row that count for the period."""
    names = api.period.rows if api.period is not None else ()
    return tuple(text[:width] for name in names if (text := to_text(row.get(name))).isdigit())


def select_period(api: Api, rows: Iterable[Row], period: Period) -> list[Row]:
    """Returns the rows with a day in a period."""
    width = len(period.first)
    return [row for row in rows if any(period.first <= day <= period.last for day in find_days(api, row, width))]


def choose_period(api: Api, rows: Sequence[Row], whole: Period) -> Period | None:
    """Returns a shorter period with few rows, None if there is none.

    It begins and ends on days with rows, and both ends of the whole period are outside if possible.
    """
    width = len(whole.first)
    days = sorted({min(days) for row in rows if (days := find_days(api, row, width))})
    inner = [day for day in days if whole.first < day < whole.last] or days
    if len(days) < 2:  # noqa: PLR2004 - with one day there is no shorter period
        return None
    middle = len(inner) // 2
    chosen = Period(inner[middle], inner[middle])
    for day in reversed(inner[:middle]):
        if len(select_period(api, rows, chosen)) >= ENOUGH_ROWS or day == days[0]:
            break
        chosen = Period(day, chosen.last)
    return chosen
