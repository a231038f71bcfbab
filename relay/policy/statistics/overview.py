"""Statistics for display: by day and institution, and by response code."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.domain.statistics import SCHEDULED, Line
from relay.policy.statistics.report import NO_CALLS, Calls, is_sent

_AUTHORIZE: Final = "AU01"
_OAUTH: Final = "AU"
_CODE: Final = 5
_RSP_CODE: Final = "rsp_code_3_"

_AUTHORIZE_ERRORS: Final = (
    "400_invalid_request",
    "405_method_not_allowed",
    "302_invalid_request",
    "302_unauthorized_client",
    "302_access_denied",
    "302_unsupported_response_type",
    "302_server_error",
    "302_temporarily_unavailable",
    "302_unauthorized_user",
)
_TOKEN_ERRORS: Final = (
    "400_invalid_request",
    "400_invalid_client",
    "400_invalid_grant",
    "400_unauthorized_client",
    "400_unsupported_grant_type",
    "400_invalid_scope",
    "400_unauthorized_user",
    "405_method_not_allowed",
    "500_server_error",
    "503_temporarily_unavailable",
)
_ERROR_NAMES: Final = (
    *(f"err_code_1_{error}" for error in _AUTHORIZE_ERRORS),
    *(f"err_code_2_{error}" for error in _TOKEN_ERRORS),
)
"""Counters of OAuth errors in the order of the addendum of 2022-10-19; 지원-005 of this edition has no fields."""

_POSITIONS: Final = {name: position for position, name in enumerate(_ERROR_NAMES)}


@dataclass(frozen=True, slots=True)
class DayRow:
    """Counts of one institution on one day.

    `unsent` are calls of an unknown service or API: they are counted and never sent.
    """

    stat_date: str
    provider: str
    scheduled: Calls = NO_CALLS
    on_demand: Calls = NO_CALLS
    unsent: Calls = NO_CALLS

    def plus(self, line: Line, count: int) -> "DayRow":
        """Returns this row plus `count` of a line."""
        if not is_sent(line):
            return replace(self, unsent=self.unsent.plus(line, count))
        if line.type == SCHEDULED:
            return replace(self, scheduled=self.scheduled.plus(line, count))
        return replace(self, on_demand=self.on_demand.plus(line, count))


def sum_by_day(counts: Iterable[tuple[Line, int]]) -> Sequence[DayRow]:
    """Returns a row for each day and institution with counts, sorted."""
    rows: dict[tuple[str, str], DayRow] = {}
    for line, count in counts:
        key = (line.stat_date, line.provider)
        rows[key] = rows.get(key, DayRow(*key)).plus(line, count)
    return [rows[key] for key in sorted(rows)]


def codes(counts: Iterable[tuple[Line, int]]) -> Mapping[str, int]:
    """Returns counts by the names of the addendum, in its order: OAuth errors, then rsp_codes by status and number."""
    counts_by_name: dict[str, int] = {}
    for line, count in counts:
        name = code_name(line)
        counts_by_name[name] = counts_by_name.get(name, 0) + count
    return {name: counts_by_name[name] for name in sorted(counts_by_name, key=_get_sort_key)}


def _get_sort_key(name: str) -> tuple[bool, int, str]:
    return name.startswith(_RSP_CODE), _POSITIONS.get(name, len(_POSITIONS)), name


def code_name(line: Line) -> str:
    """Returns the counter name of a line.

    `rsp_code_3_` precedes an rsp_code, `err_code_1_` an error of authorize (AU01), `err_code_2_` an error of tokens.
    """
    code = line.outcome.rpartition("_")[2]
    if not line.api_code.startswith(_OAUTH) or (len(code) == _CODE and code.isdigit()):
        return f"{_RSP_CODE}{line.outcome}"
    return f"err_code_{1 if line.api_code == _AUTHORIZE else 2}_{line.outcome}"
