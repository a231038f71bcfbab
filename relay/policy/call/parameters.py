"""Validates the parameters of a request against the catalogue (규격 3.3, 6장; 40001)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from relay.domain.api import Api, Field, PeriodRule, Presence
from relay.domain.fault import FAULTS, Fault, Refusal
from relay.policy.call.fields import Check, compile_field_check, describe_allowed, to_text
from relay.policy.call.query import NameCheck, compile_name_check
from relay.policy.settings.scalars import Checking

ParameterCheck = Callable[[Mapping[str, object]], None]
"""Raises Refusal(parameter_missing | parameter_malformed | parameter_ambiguous).

The detail names all wrong fields and the allowed values.
"""

_MISSING: Final = FAULTS["parameter_missing"]
_MALFORMED: Final = FAULTS["parameter_malformed"]
_ALSO_WRONG: Final = {_MISSING.name: "형식이 올바르지 않은 파라미터", _MALFORMED.name: "없는 필수 파라미터"}
"""Introduces the wrong fields of the other fault, by the fault of the first one."""

_MAX_NAMED: Final = 10
"""Wrong fields that a refusal names: `rsp_msg` has at most 450 bytes."""

_LIMITS: Final = frozenset(f"{limit:0{width}}" for limit in range(1, 501) for width in (1, 2, 3))
_OFTEN_OMITTED: Final = frozenset({"search_timestamp", "limit"})
"""Fields that operators built to older editions leave out."""

_Row = tuple[str, Check, bool, bool, str]
"""Name, check, is required, may be empty, detail of the refusal."""


def compile_parameter_check(api: Api, checking: Checking) -> ParameterCheck:
    """Returns the check of one API's query and body parameters; header and path are checked elsewhere.

    Strict: required fields, types, lengths, code tables, limit 1-500, real days and months, start not after end (the
    detail then names the field of the end). Conditional and optional fields must have their type when present; null
    and "" are not values. Lists must be lists.
    Lenient: as strict, but `search_timestamp` and `limit` may be missing, "" means that an optional field is absent,
    and character classes and code tables are not checked. Off: values are not checked.
    At every level, unknown fields pass unless their name resembles one of the API (`compile_name_check`).
    Values may be strings or, from older operators, JSON numbers and booleans.
    """
    check_names = _compile_name_checks(api.request.path + api.request.query + api.request.body)
    if checking is Checking.OFF:
        return check_names
    rows = tuple(_build_rows(api, strict=checking is Checking.STRICT))
    fields = api.request.path + api.request.query + api.request.body
    known = frozenset() if any(field.type == "array" for field in fields) else frozenset(field.name for field in fields)
    return _compile_rows(known, check_names, rows, api.period)


def compile_usual_check(api: Api) -> Callable[[Mapping[str, object]], bool]:
    """Returns a check whether parameters are exactly those of the standard; a path parameter may be absent."""
    strict = compile_parameter_check(api, Checking.STRICT)
    known = frozenset(field.name for field in api.request.path + api.request.query + api.request.body)

    def is_usual(parameters: Mapping[str, object]) -> bool:
        try:
            strict(parameters)
        except Refusal:
            return False
        return parameters.keys() <= known

    return is_usual


def _compile_name_checks(fields: tuple[Field, ...]) -> NameCheck:
    """Returns the check of the names of these fields and of the members of their lists."""
    check_names = compile_name_check(field.name for field in fields)
    lists = [(field.name, _compile_name_checks(field.fields)) for field in fields if field.type == "array"]
    if not lists:
        return check_names

    def check(parameters: Mapping[str, object]) -> None:
        check_names(parameters)
        for name, check_members in lists:
            rows = parameters.get(name)
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict):
                    check_members(row)

    return check


def _build_rows(api: Api, *, strict: bool) -> Iterator[_Row]:
    for field in api.request.query + api.request.body:
        required = field.presence is Presence.REQUIRED and (strict or field.name not in _OFTEN_OMITTED)
        check, may_be_empty = _compile_value_check(field, strict=strict), not (strict or required)
        yield field.name, check, required, may_be_empty, describe_parameter(field)


def _compile_value_check(field: Field, *, strict: bool) -> Check:
    if field.type == "array":
        return _reject
    return _LIMITS.__contains__ if field.name == "limit" else compile_field_check(field, strict=strict)


def _reject(text: str) -> bool:  # noqa: ARG001 - the signature of a check; a string is never a list
    return False


def describe_parameter(field: Field) -> str:
    """Returns the name of a parameter with its allowed values, for refusals."""
    if field.type == "array":
        return f"{field.name} (JSON 배열)"
    if field.codes:
        return f"{field.name} ({describe_allowed(field)} 중 하나)"
    return f"{field.name} ({'1-500' if field.name == 'limit' else describe_allowed(field)})"


def _compile_rows(
    known: frozenset[str], check_names: NameCheck, rows: tuple[_Row, ...], period: PeriodRule | None
) -> ParameterCheck:
    """Returns the check of names and values; `check_names` runs only when a name is not in `known`."""
    lookups = tuple((row[0], row[1], row) for row in rows)
    are_known = known.issuperset
    start, end = (period.start, period.end) if period else ("", "")

    def check(parameters: Mapping[str, object]) -> None:
        if not are_known(parameters):  # PERF: the common case of `check_names`, inlined
            check_names(parameters)
        get = parameters.get
        for name, matches, row in lookups:
            value = get(name)
            # PERF: a valid string, the common case, costs one look-up and one match: 2.2 us for all of 은행-004
            if value.__class__ is str and matches(value):
                continue
            if (name in parameters or row[2]) and _find_fault(row, parameters) is not None:
                raise _build_refusal(rows, parameters)
        if start:
            _check_order(parameters, start, end)

    return check


def _find_fault(row: _Row, parameters: Mapping[str, object]) -> Fault | None:
    """Returns the fault of one field, None for a valid or absent value."""
    name, matches, is_required, may_be_empty, _ = row
    if name not in parameters:
        return _MISSING if is_required else None
    value = parameters[name]
    if (may_be_empty and value == "") or (matches is _reject and isinstance(value, list)):
        return None
    text = to_text(value)
    return None if text and matches(text) else _MALFORMED


def _build_refusal(rows: tuple[_Row, ...], parameters: Mapping[str, object]) -> Refusal:
    """Returns the refusal of all wrong fields. Its fault is that of the first; the detail names those of the other."""
    faults: list[tuple[Fault, str]] = []
    for row in rows:
        fault = _find_fault(row, parameters)
        if fault is not None:
            faults.append((fault, row[4]))
    first = faults[0][0]
    named = faults[:_MAX_NAMED]
    detail = ", ".join([text for each, text in named if each is first])
    if others := [text for each, text in named if each is not first]:
        detail += f"; {_ALSO_WRONG[first.name]}: {', '.join(others)}"
    if len(faults) > _MAX_NAMED:
        detail += f" 외 {len(faults) - _MAX_NAMED}개"
    return Refusal(first, detail)


def _check_order(parameters: Mapping[str, object], start: str, end: str) -> None:
    first, last = parameters[start], parameters[end]
    if first.__class__ is not str or last.__class__ is not str:
        first, last = to_text(first), to_text(last)
    # both are present and have one fixed length, so they sort as their days do
    if first > last:
        raise Refusal(_MALFORMED, f"{end} ({start} 이후)")
