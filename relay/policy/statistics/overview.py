"""Statistics for people: what was counted by day and institution, and by the codes of answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.domain.statistics import SCHEDULED, Line
from relay.policy.statistics.report import NO_CALLS, Calls, is_sent

_AUTHORIZE: Final = "AU01"
_OAUTH: Final = "AU"
_CODE: Final = 5

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
_RSP_CODES: Final = {
    "200": ("00000", "00001"),
    "400": ("40001", "40002", "40003", "40004"),
    "401": ("40101", "40102", "40103", "40104", "40105", "40106"),
    "403": ("40301", "40302", "40303", "40304", "40305"),
    "404": ("40401", "40402", "40403"),
    "405": ("40501",),
    "429": ("42901",),
    "500": tuple(str(code) for code in range(50001, 50011)),
}

CODE_NAMES: Final = (
    *(f"err_code_1_{error}" for error in _AUTHORIZE_ERRORS),
    *(f"err_code_2_{error}" for error in _TOKEN_ERRORS),
    *(f"rsp_code_3_{status}_{code}" for status, codes in _RSP_CODES.items() for code in codes),
)
"""The counters per code of the addendum of 2022-10-19, in its order. This edition's 지원-005 has no fields for them."""

_PLACES: Final = {name: place for place, name in enumerate(CODE_NAMES)}


@dataclass(frozen=True, slots=True)
class Row:
    """What was counted for one institution on one day.

    `unsent` are calls of which nobody could tell the service or the API: they are counted and never sent.
    """

    stat_date: str
    provider: str
    scheduled: Calls = NO_CALLS
    on_demand: Calls = NO_CALLS
    unsent: Calls = NO_CALLS

    def more(self, line: Line, count: int) -> "Row":
        """A row of these and `count` of a line."""
        if not is_sent(line):
            return replace(self, unsent=self.unsent.more(line, count))
        if line.type == SCHEDULED:
            return replace(self, scheduled=self.scheduled.more(line, count))
        return replace(self, on_demand=self.on_demand.more(line, count))


def days_and_providers(counts: Iterable[tuple[Line, int]]) -> Sequence[Row]:
    """A row for each day and institution that anything was counted for, in this order."""
    found: dict[tuple[str, str], Row] = {}
    for line, count in counts:
        place = (line.stat_date, line.provider)
        found[place] = found.get(place, Row(*place)).more(line, count)
    return [found[place] for place in sorted(found)]


def codes(counts: Iterable[tuple[Line, int]]) -> Mapping[str, int]:
    """What was counted by the names of the addendum, in its order; outcomes it does not know stand last."""
    found: dict[str, int] = {}
    for line, count in counts:
        name = code_name(line)
        found[name] = found.get(name, 0) + count
    return {name: found[name] for name in sorted(found, key=lambda name: (_PLACES.get(name, len(_PLACES)), name))}


def code_name(line: Line) -> str:
    """The counter of a line.

    `rsp_code_3_` stands before an rsp_code, `err_code_1_` before an error of authorize (AU01), `err_code_2_` before one
    of tokens.
    """
    code = line.outcome.rpartition("_")[2]
    if not line.api_code.startswith(_OAUTH) or (len(code) == _CODE and code.isdigit()):
        return f"rsp_code_3_{line.outcome}"
    return f"err_code_{1 if line.api_code == _AUTHORIZE else 2}_{line.outcome}"
