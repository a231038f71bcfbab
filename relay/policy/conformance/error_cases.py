"""Wrong calls: how each differs from a right one, and which rsp_codes are right answers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from relay.domain.api import SUCCESS, Presence
from relay.policy.conformance.call import ConformanceCall
from relay.policy.conformance.parameters import list_fields

Change = Callable[[ConformanceCall], ConformanceCall | None]
"""Returns the wrong call, None if the API has no such parameter."""

UNKNOWN_CI: Final = "A" * 86 + "=="
"""A CI that is no customer's: base64 of 64 zero bytes."""
_OTHER_ORG: Final = "ZZZZ999999"


class ErrorCase(NamedTuple):
    """A wrong call: the case it belongs to, the rule that a wrong answer breaks, and the right rsp_codes."""

    case: str
    rule: str
    codes: frozenset[str]
    change: Change


def _change_ci(ci: str) -> Change:
    return lambda call: replace(call, ci=ci)


def _set(name: str, value: str) -> Change:
    return lambda call: call.change(**{name: value}) if name in list_fields(call.api) else None


def _name_unknown_asset(call: ConformanceCall) -> ConformanceCall | None:
    asset = call.api.asset
    if asset is None:
        return None
    field = next(
        each
        for each in (*call.api.request.path, *call.api.request.query, *call.api.request.body)
        if each.name == asset.field
    )
    return call.change(**{asset.field: "9" * min(int(field.length), 20)})


def _leave_out_required(call: ConformanceCall) -> ConformanceCall | None:
    """Leaves out the last required parameter that is not in the path and has no default of the standard."""
    fields = (*call.api.request.query, *call.api.request.body)
    names = [
        each.name
        for each in fields
        if each.presence is Presence.REQUIRED and each.name not in {"org_code", "search_timestamp"}
    ]
    return call.change(**{names[-1]: None}) if names else None


def _write_malformed_day(call: ConformanceCall) -> ConformanceCall | None:
    """Gives the last day or month a letter at its end. If texts are compared, it stays after the first one."""
    period = call.api.period
    return call.change(**{period.end: f"{call.parameters[period.end][:-1]}a"}) if period else None


def _write_malformed_body(call: ConformanceCall) -> ConformanceCall | None:
    return replace(call, raw_body=call.build_body()[:-1]) if call.api.method == "POST" else None


def _swap_method(call: ConformanceCall) -> ConformanceCall:
    return replace(call, method="GET" if call.api.method == "POST" else "POST")


def _reverse_period(call: ConformanceCall) -> ConformanceCall | None:
    period = call.api.period
    if period is None:
        return None
    parameters = call.parameters
    return call.change(**{period.start: parameters[period.end], period.end: parameters[period.start]})


def _move_period_back(call: ConformanceCall) -> ConformanceCall | None:
    """Asks for a month of 1990, which is older than all data."""
    period = call.api.period
    if period is None:
        return None
    width = len(call.parameters[period.start])
    return call.change(**{period.start: "19900101"[:width], period.end: "19900131"[:width]})


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARAMETER: Final = _codes("40001")

ERROR_CASES: Final = (
    ErrorCase("limits", "limit_range", _codes("40001 42901"), _set("limit", "0")),
    ErrorCase("limits", "limit_range", _codes("40001 42901"), _set("limit", "501")),
    ErrorCase("limits", "malformed_parameter", _codes("40001 42901"), _set("limit", "12a")),
    ErrorCase("pages", "cursor_unknown", _PARAMETER, _set("next_page", "conform-unknown-cursor")),
    ErrorCase("period", "period", _codes(f"{SUCCESS} 40001 40004"), _reverse_period),
    ErrorCase("period", "period", _codes(f"{SUCCESS} 40001 40004 40304"), _move_period_back),
    ErrorCase("period", "malformed_parameter", _codes("40001 40004"), _write_malformed_day),
    ErrorCase("customer", "unknown_customer", _codes("40403"), _change_ci(UNKNOWN_CI)),
    ErrorCase("customer", "customer_header", _codes("40001 40002 40403"), _change_ci("")),
    ErrorCase("asset", "unknown_asset", _codes("40402"), _name_unknown_asset),
    ErrorCase("parameters", "missing_parameter", _PARAMETER, _leave_out_required),
    ErrorCase("parameters", "malformed_parameter", _PARAMETER, _write_malformed_body),
    ErrorCase("parameters", "unknown_parameter", _codes(f"{SUCCESS} 40001"), lambda call: call.change(x_conform="1")),
    ErrorCase("parameters", "unknown_org", _codes("40303"), _set("org_code", _OTHER_ORG)),
    ErrorCase("method", "wrong_method", _codes("40501"), _swap_method),
)
"""The wrong calls of one API. `period` may be answered with success: then all rows are outside, and break its rule."""

UNKNOWN_PATHS: Final = (
    ("/v1/{industry}/conform-unknown", _codes("40401")),
    ("/v99{resource}", _codes("40003 40401")),
)
"""URIs that no institution has, with the right rsp_codes: an unknown API, and a version that is not offered."""

ANSWERED_BY_CORES: Final = frozenset({"cursor_unknown", "unknown_customer", "unknown_asset"})
"""The rules of wrong calls that reach a core behind the adapter; the gateway refuses the others before."""
