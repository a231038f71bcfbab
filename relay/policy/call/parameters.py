"""A request's parameters held against the catalogue, before a provider is bothered (규격 3.3, 6장; 40001)."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from relay.domain.api import Api, Field, PeriodRule, Presence
from relay.domain.fault import FAULTS, Refusal
from relay.policy.call.fields import Check, allowed, check_of, text_of
from relay.policy.call.query import NameCheck, compile_names
from relay.policy.settings.scalars import Checking

ParameterCheck = Callable[[Mapping[str, object]], None]
"""Raises Refusal(parameter_missing | parameter_malformed | parameter_ambiguous).

The detail names the field and what is allowed.
"""

_MISSING: Final = FAULTS["parameter_missing"]
_MALFORMED: Final = FAULTS["parameter_malformed"]
_LIMITS: Final = frozenset(f"{limit:0{width}}" for limit in range(1, 501) for width in (1, 2, 3))
_OFTEN_OMITTED: Final = frozenset({"search_timestamp", "limit"})
"""What operators built to older editions leave out."""

_Row = tuple[str, Check, bool, bool, str]


def compile_check(api: Api, checking: Checking) -> ParameterCheck:
    """The check of one API's query and body parameters; header and path are looked at elsewhere.

    Strict: required fields, types, lengths, code tables, limit 1-500, real days and months, start not after end (the
    detail then names the field of the end). Conditional and optional fields are held to their type when present; null
    and "" are no values. Lists are checked to be lists.
    Lenient: `search_timestamp` and `limit` may be missing, "" stands for an optional field left out, character classes
    and code tables are not looked at; the rest holds. Off: values are not looked at.
    However strict: unknown fields pass, unless their name resembles one of the API's (`compile_names`).
    Values may be texts or, as older operators send them, JSON numbers and booleans.
    """
    names = _names(api.request.path + api.request.query + api.request.body)
    if checking is Checking.OFF:
        return names
    rows = tuple(_rows(api, strict=checking is Checking.STRICT))
    fields = api.request.path + api.request.query + api.request.body
    known = frozenset() if any(field.type == "array" for field in fields) else frozenset(each.name for each in fields)
    return _check_rows(known, names, rows, api.period)


def compile_usual(api: Api) -> Callable[[Mapping[str, object]], bool]:
    """Whether parameters are what the standard asks for and nothing more; one named in the path may be left out."""
    strict = compile_check(api, Checking.STRICT)
    known = frozenset(field.name for field in api.request.path + api.request.query + api.request.body)

    def is_usual(parameters: Mapping[str, object]) -> bool:
        try:
            strict(parameters)
        except Refusal:
            return False
        return parameters.keys() <= known

    return is_usual


def path_field(api: Api) -> re.Pattern[str] | None:
    """The pattern the path's one open part must fully match (`{card_id}`, aN(64)); None when the path is literal."""
    for field in api.request.path:
        return re.compile(f"[0-9A-Za-z]{{1,{field.length}}}")
    return None


def _names(fields: tuple[Field, ...]) -> NameCheck:
    """The check of the names of these fields, and of the members of lists among them."""
    own = compile_names(field.name for field in fields)
    lists = [(field.name, _names(field.fields)) for field in fields if field.type == "array"]
    if not lists:
        return own

    def check(parameters: Mapping[str, object]) -> None:
        own(parameters)
        for name, members in lists:
            rows = parameters.get(name)
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict):
                    members(row)

    return check


def _rows(api: Api, *, strict: bool) -> Iterator[_Row]:
    for field in api.request.query + api.request.body:
        required = field.presence is Presence.REQUIRED and (strict or field.name not in _OFTEN_OMITTED)
        yield field.name, _check(field, strict=strict), required, not (strict or required), _detail(field)


def _check(field: Field, *, strict: bool) -> Check:
    if field.type == "array":
        return _never
    return _LIMITS.__contains__ if field.name == "limit" else check_of(field, strict=strict)


def _never(text: str) -> bool:  # noqa: ARG001 - a check's signature; no text is a list
    return False


def _detail(field: Field) -> str:
    if field.type == "array":
        return f"{field.name} (JSON 배열)"
    if field.codes:
        return f"{field.name} ({allowed(field)} 중 하나)"
    return f"{field.name} ({'1-500' if field.name == 'limit' else allowed(field)})"


def _check_rows(
    known: frozenset[str], names: NameCheck, rows: tuple[_Row, ...], period: PeriodRule | None
) -> ParameterCheck:
    """The check of names and values; where all names are `known`, `names` has nothing to say."""
    looked_at = tuple((row[0], row[1], row) for row in rows)
    are_known = known.issuperset
    start, end = (period.start, period.end) if period else ("", "")

    def check(parameters: Mapping[str, object]) -> None:
        if not are_known(parameters):  # PERF: the common case of `names` stands here
            names(parameters)
        get = parameters.get
        for name, fits, row in looked_at:
            value = get(name)
            # PERF: a text that fits, the common case, costs one look-up and one match: 은행-004 in all 2.2 us
            if value.__class__ is str and fits(value):
                continue
            if name in parameters:
                _judge(row, value)
            elif row[2]:
                raise Refusal(_MISSING, row[4])
        if start:
            _order(parameters, start, end)

    return check


def _judge(row: _Row, value: object) -> None:
    _, fits, _, empty_passes, detail = row
    if empty_passes and value == "":
        return
    if fits is _never and isinstance(value, list):
        return
    text = text_of(value)
    if not text or not fits(text):
        raise Refusal(_MALFORMED, detail)


def _order(parameters: Mapping[str, object], start: str, end: str) -> None:
    first, last = parameters[start], parameters[end]
    if first.__class__ is not str or last.__class__ is not str:
        first, last = text_of(first), text_of(last)
    # both are there and of one fixed length, so the order of the texts is the order of the days
    if first > last:
        raise Refusal(_MALFORMED, f"{end} ({start} 이후)")
