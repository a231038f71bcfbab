"""The fields of a form or query, read so that no two readers could see different ones, and held to the catalogue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.domain.fault import Refusal
from relay.endpoint.calls import Call
from relay.endpoint.errors import OAuthRefusal
from relay.policy.call.parameters import ParameterCheck, compile_check
from relay.policy.call.query import QUERY_OF_A_POST
from relay.policy.settings.scalars import Checking
from relay.standard.catalogue import load_catalogue

_FORM: Final = re.compile(r'application/x-www-form-urlencoded(?:\s*;\s*charset\s*=\s*"?utf-?8"?)?\s*', re.IGNORECASE)
_NO_FORM: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[\x00-\x20\x7f]")
_URLENCODED: Final = "URL 인코딩된 UTF-8만 허용됩니다"
_PAIRS_MOST: Final = 64
"""The longest form of the standard has 20 fields (통합인증-002)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What was sent: `values` are the fields that stand once and can be read.

    `wrong` is what is wrong with the rest, the name of a fault and its detail; None when nothing is.
    """

    values: Mapping[str, str] = field(repr=False)
    wrong: tuple[str, str] | None = None


def read_fields(text: str) -> Fields:
    """The fields of urlencoded text: `+` a blank, `%xx` a byte of UTF-8, in names too.

    Pairs of no character are nothing (WHATWG URL 5.1): many clients end a form with `&`.
    """
    pairs = [pair for pair in text.split("&") if pair]
    if len(pairs) > _PAIRS_MOST:
        return Fields({}, ("parameter_malformed", f"파라미터는 {_PAIRS_MOST}개까지"))
    values: dict[str, str] = {}
    doubled: set[str] = set()
    wrong: tuple[str, str] | None = None
    for pair in pairs:
        try:
            name, value = _decoded(pair)
        except ValueError:
            wrong = ("parameter_malformed", _URLENCODED)
            continue
        if name in values:
            doubled.add(name)
        values[name] = value
    if doubled:
        wrong = ("parameter_twice", "")
    return Fields({name: value for name, value in values.items() if name not in doubled}, wrong)


def _decoded(pair: str) -> tuple[str, str]:
    """Name and value. Raises ValueError (UnicodeError is one) when it is not one pair in UTF-8."""
    if _NO_FORM.search(pair):
        raise ValueError("not urlencoded")
    name, _, value = (unquote_to_bytes(part.replace("+", " ")).decode() for part in pair.partition("="))
    if not name:
        raise ValueError("a pair without a name")
    return name, value


def form_of(call: Call) -> Mapping[str, str]:
    """The fields of a POST. Raises OAuthRefusal invalid_request.

    A query is refused whatever it says: secrets in a URL stand in every log on their way (RFC 6749 2.3.1).
    """
    if call.query is not None:
        raise OAuthRefusal.of("parameter_malformed", QUERY_OF_A_POST)
    if _FORM.fullmatch(call.header("content-type")) is None:
        raise OAuthRefusal.of("header_malformed", "Content-Type (application/x-www-form-urlencoded)")
    if "content-encoding" in call.headers:
        raise OAuthRefusal.of("header_malformed", "Content-Encoding은 허용되지 않습니다")
    try:
        found = read_fields(call.body.decode())
    except UnicodeDecodeError as error:
        raise OAuthRefusal.of("parameter_malformed", _URLENCODED) from error
    if found.wrong:
        raise OAuthRefusal.of(*found.wrong)
    return found.values


def hold(api_id: str, values: Mapping[str, str]) -> None:
    """Hold fields to an API: all required ones, their types and lengths. Raises OAuthRefusal invalid_request."""
    try:
        check_of(api_id)(values)
    except Refusal as refusal:
        # the refusal's context holds what was sent
        raise OAuthRefusal.of(refusal.fault.name, refusal.detail) from None


@cache
def check_of(api_id: str) -> ParameterCheck:
    """The strict check of an API's query and body fields, compiled once."""
    return compile_check(load_catalogue().apis[api_id], Checking.STRICT)
