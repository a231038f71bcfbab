"""Bodies of 지원-002 and 지원-003 as a whole: up to date or not, how many rows, when to ask from next."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from relay.domain.authorization.consent import KOREA
from relay.domain.ids import ORG_CODE
from relay.policy.registry.rows import Form, Row

EVERYTHING: Final = "0"
"""The search_timestamp that asks for everything (core 1.7)."""

ORG: Final = Form(ORG_CODE, 10, "is not 10 letters or digits")
"""org_code, aN(10)."""
OP: Final = Form(re.compile("[IMD]"), 1, "is not I, M or D")
"""op_type: new, changed, deleted."""
ANY: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
"""No control characters, nothing that turns the direction of writing, no half of a character."""

_ROWS_MOST: Final = 99_999
"""`org_cnt` has five digits."""
_AHEAD_MOST_S: Final = 86_400
_UP_TO_DATE: Final = "00001"
_STAMP: Final = Form(re.compile(r"[0-9]{1,14}"), 14, "is not 1 to 14 digits")
_RSP_CODE: Final = Form(re.compile(r"[0-9A-Za-z]{5}"), 5, "is not 5 letters or digits")


def up_to_date(root: Row, since: str) -> bool:
    """Whether the portal says that nothing changed (00001).

    To a question for everything that is no answer, and beside a list it is a contradiction.
    """
    if root.text("rsp_code", _RSP_CODE) != _UP_TO_DATE:
        return False
    if since == EVERYTHING:
        root.wrong("rsp_code", "says up to date, though everything was asked for")
    if root.values.get("org_list"):
        root.wrong("rsp_code", "says up to date, though org_list is not empty")
    list(root.rows("org_list", "org_cnt"))  # its count may contradict it, too
    return True


def listed(root: Row, most: int = _ROWS_MOST) -> Iterator[Row]:
    """`org_list` of at most `most` entries, whose count has to be told: half a list must be seen.

    The place of a row names its org_code, when it is one: `org_list[17] (ZOPA000001)`.
    """
    if not root.given("org_cnt"):
        root.wrong("org_cnt", "is missing")
    return map(_named, root.rows("org_list", "org_cnt", most))


def _named(row: Row) -> Row:
    org_code = row.values.get("org_code")
    known = isinstance(org_code, str) and ORG.fits(org_code)
    return replace(row, place=f"{row.place} ({org_code})") if known else row


def next_timestamp(root: Row, since: str) -> str:
    """When to ask from next: what the portal says; everything when it says nothing, or its time went backwards."""
    said = root.text("search_timestamp", _STAMP)
    return said if said and int(said) and int(said) >= int(since) else EVERYTHING


def far_ahead(stamp: str, now: int) -> bool:
    """Whether a search_timestamp lies more than a day after `now` (epoch seconds): who asks from there hears nothing.

    The portal's clock is Korea's; a day is more than any time zone or slow clock explains.
    """
    return int(stamp) > int(f"{datetime.fromtimestamp(now + _AHEAD_MOST_S, KOREA):%Y%m%d%H%M%S}")


def once(row: Row, name: str, value: str, places: dict[str, str]) -> None:
    """Tell when a value stood in another row already; `places` are those of the rows so far."""
    first = places.setdefault(value, row.place) if value else row.place
    if first != row.place:
        row.wrong(name, f"stands twice, first at {first}")
