"""Where a member of an answer comes from in the recorded telegrams of its call."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from relay.policy.mediation.field_uses import Path
from relay.policy.mediation.telegram_reading import ReadTelegram, Side

_INDEX: Final = re.compile(r"\[(\d+)\]")
_NOTE: Final = " by code table"


def find_place(member: str, uses: Mapping[Path, Sequence[str]], telegrams: Sequence[ReadTelegram]) -> tuple[int, int]:
    """Returns the telegram, counted from 1, and the offset of the field that a member of the answer comes from.

    `member` is its path, `trans_list[3].trans_type`; `uses` are those of the layout. Rows of several responses follow
    each other. Returns (0, -1) for members without a field, and in rows of rows.
    """
    rows = [int(index) for index in _INDEX.findall(member)]
    target = _INDEX.sub("[]", member)
    path = next((path for path, parts in uses.items() if target in {part.removesuffix(_NOTE) for part in parts}), None)
    if path is None or len(rows) > 1:
        return 0, -1
    wanted = rows[0] if rows else 0
    for number, telegram in enumerate(telegrams, 1):
        if telegram.side is not Side.RESPONSE:
            continue
        places = [value.offset for value in telegram.values if _strip(value.path) == path]
        if wanted < len(places):
            return number, places[wanted]
        wanted -= len(places)
    return 0, -1


def _strip(path: str) -> Path:
    """Returns the path of a field without the numbers of its rows."""
    return tuple(_INDEX.sub("", path).split("."))
