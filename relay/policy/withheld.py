"""What is left out of answers because the customer did not consent to it: memos, merchants, categories (규격 6.2).

Our reading: the standard gives these fields only where 공통-002 says `true`, so in an industry that knows a flag a
consent without it counts as `false`. Where the industry does not know the flag nothing is withheld.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, Final

from relay.domain.api import Api
from relay.domain.consent import Particulars
from relay.domain.strict_json import Doubled
from relay.policy.query import name_readings

_NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Flag:
    """One of a consent's three flags: the industries that know it, the fields it gives, the APIs that have them."""

    industries: frozenset[str]
    fields: frozenset[str]
    api_ids: frozenset[str]


def _flag(industries: str, fields: str, api_ids: str) -> Flag:
    return Flag(frozenset(industries.split()), frozenset(fields.split()), frozenset(api_ids.split()))


FLAGS: Final[Mapping[str, Flag]] = {
    "is_consent_trans_memo": _flag("bank invest efin", "trans_memo", "은행-004 금투-003 전금-004 전금-103"),
    "is_consent_merchant_name_regno": _flag(
        "card efin telecom bank",  # bank for its prepaid cards
        "merchant_name merchant_regno",
        "선불-004 카드-005 카드-008 카드-009 전금-004 전금-103 통신-004",
    ),
    "is_consent_trans_category": _flag("efin", "trans_category", "전금-004 전금-103"),
}
"""규격 6.2. An API without one of the fields (카드-009 and 전금-004 tell no merchant_regno) loses nothing by it."""


def _by_api() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for flag in FLAGS.values():
        for api_id in flag.api_ids:
            found[api_id] = found.get(api_id, _NOTHING) | flag.fields
    return found


_BY_API: Final = _by_api()


def fields_withheld(particulars: Particulars, industry: str) -> frozenset[str]:
    """The fields that answers of this industry must not hold under this consent: `Grant.withheld`."""
    return frozenset(
        field
        for name, flag in FLAGS.items()
        if industry in flag.industries and getattr(particulars, name) is not True
        for field in flag.fields
    )


def withheld_from(api: Api, withheld: frozenset[str]) -> frozenset[str]:
    """Which of the withheld fields this API's answer could hold; empty: its body need not be looked at."""
    # PERF: 0.1 us; most calls end at the first line
    if not withheld:
        return withheld
    return _BY_API.get(api.api_id, _NOTHING) & withheld


def without(body: bytes, fields: frozenset[str]) -> bytes:
    """A JSON answer without the members of these names, however deep; the rest in its order, numbers as spelled.

    A member whose name resembles one of them goes, too: an operator's reader may fold letter case (`compile_names`).

    Blanks between members go, escapes are written out. Raises ValueError when the body is no JSON object, holds a name
    twice, NaN or half a surrogate, or is nested too deep: what cannot be read cannot be judged.
    """
    shown = _Shown(fields)

    def kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Doubled
        return {name: value for name, value in pairs if shown[name]}

    decoder = json.JSONDecoder(
        object_pairs_hook=kept, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
    )
    try:
        found = decoder.decode(body.decode())
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - what is read is wrong, not what was passed
        return _written(found).encode()
    except RecursionError as error:
        raise ValueError("nested too deep") from error


class _Shown(dict[str, bool]):
    """Whether a member may be seen, by its name; decided once for each name of an answer."""

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__(dict.fromkeys(fields, False))
        self._readings = frozenset(reading for field in fields for reading in name_readings(field))

    def __missing__(self, name: str) -> bool:
        self[name] = shown = self._readings.isdisjoint(name_readings(name))
        return shown


class _Number(str):
    """A JSON number in the spelling it came in."""

    __slots__ = ()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _written(value: Any) -> str:
    # PERF: 27 us for each KiB, reading included; json's own writer would spell numbers anew
    kind = value.__class__
    if kind is str:
        return encode_basestring(value)
    if kind is dict:
        return "{" + ",".join([f"{encode_basestring(name)}:{_written(each)}" for name, each in value.items()]) + "}"
    if kind is list:
        return "[" + ",".join([_written(each) for each in value]) + "]"
    if kind is _Number:
        return str(value)
    return "null" if value is None else "true" if value else "false"
