"""Bodies of 지원-002 and 지원-003 as a whole: up to date or not, number of rows, next search_timestamp."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from relay.domain.api import UP_TO_DATE
from relay.domain.ids import ORG_CODE
from relay.domain.korea import DAY_S, format_timestamp
from relay.policy.registry.rows import Row, TextFormat

EVERYTHING: Final = "0"
"""The search_timestamp that requests everything (core 1.7)."""

ORG: Final = TextFormat(ORG_CODE, 10, "is not 10 letters or digits")
"""org_code, aN(10)."""
OP: Final = TextFormat(re.compile("[IMD]"), 1, "is not I, M or D")
"""op_type: new, changed, deleted."""
ANY: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""No control characters, no marks of the writing direction, no lone surrogates."""

_MAX_ROWS: Final = 99_999
"""`org_cnt` has five digits."""
_STAMP: Final = TextFormat(re.compile(r"[0-9]{1,14}"), 14, "is not 1 to 14 digits")
_RSP_CODE: Final = TextFormat(re.compile(r"[0-9A-Za-z]{5}"), 5, "is not 5 letters or digits")


def is_up_to_date(root: Row, since: str) -> bool:
    """Returns whether the portal reports that nothing changed (00001).

    It is a problem when everything was requested, or beside a list that is not empty.
    """
    if root.text("rsp_code", _RSP_CODE) != UP_TO_DATE:
        return False
    if since == EVERYTHING:
        root.add_problem("rsp_code", "says up to date, though everything was requested")
    if root.values.get("org_list"):
        root.add_problem("rsp_code", "says up to date, though org_list is not empty")
    list(root.rows("org_list", "org_cnt"))  # its count may contradict it, too
    return True


def list_rows(root: Row, max_rows: int = _MAX_ROWS) -> Iterator[Row]:
    """Yields rows of `org_list`, at most `max_rows`. The count is required, so that half a list is noticed.

    The place of a row names its org_code, when it is valid: `org_list[17] (ZOPA000001)`.
    """
    if not root.has("org_cnt"):
        root.add_problem("org_cnt", "is missing")
    return map(_name_place, root.rows("org_list", "org_cnt", max_rows))


def _name_place(row: Row) -> Row:
    org_code = row.values.get("org_code")
    is_valid = isinstance(org_code, str) and ORG.matches(org_code)
    return replace(row, place=f"{row.place} ({org_code})") if is_valid else row


def next_timestamp(root: Row, since: str) -> str:
    """Returns the portal's next search_timestamp; EVERYTHING when it sends none or its time went backwards."""
    timestamp = root.text("search_timestamp", _STAMP)
    return timestamp if timestamp and int(timestamp) and int(timestamp) >= int(since) else EVERYTHING


def is_far_ahead(stamp: str, now: int) -> bool:
    """Returns whether a search_timestamp is more than a day after `now` (epoch seconds): it would yield no changes.

    The portal's clock is Korea's; a day is more than any time zone or slow clock explains.
    """
    return int(stamp) > int(format_timestamp(now + DAY_S))


def check_unique(row: Row, name: str, value: str, places: dict[str, str]) -> None:
    """Adds a problem when an earlier row has the same value; `places` are those of the earlier rows."""
    first = places.setdefault(value, row.place) if value else row.place
    if first != row.place:
        row.add_problem(name, f"stands twice, first at {first}")
