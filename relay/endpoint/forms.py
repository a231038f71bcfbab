"""Parses form and query fields without ambiguity and validates them against the catalogue."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.domain.fault import Refusal
from relay.endpoint.calls import ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.policy.call.parameters import ParameterCheck, compile_parameter_check, describe_parameter
from relay.policy.call.query import POST_QUERY_MESSAGE
from relay.policy.settings.scalars import Checking
from relay.standard.catalogue import load_catalogue

_FORM: Final = re.compile(r'application/x-www-form-urlencoded(?:\s*;\s*charset\s*=\s*"?utf-?8"?)?\s*', re.IGNORECASE)
_NOT_URLENCODED: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[\x00-\x20\x7f]")
_URLENCODED: Final = "URL 인코딩된 UTF-8만 허용됩니다"
_MAX_PAIRS: Final = 64
"""The longest form of the standard has 20 fields (통합인증-002)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Parsed fields: `values` are those that occur once and can be decoded.

    `problem` is the fault name and detail of the others; None when there are none.
    """

    values: Mapping[str, str] = field(repr=False)
    problem: tuple[str, str] | None = None


def parse_fields(text: str) -> Fields:
    """Returns the fields of urlencoded text: `+` is a blank, `%xx` a byte of UTF-8, in names too.

    Empty pairs are ignored (WHATWG URL 5.1): many clients end a form with `&`.
    """
    pairs = [pair for pair in text.split("&") if pair]
    if len(pairs) > _MAX_PAIRS:
        return Fields({}, ("parameter_malformed", f"파라미터는 {_MAX_PAIRS}개까지"))
    values: dict[str, str] = {}
    repeated: set[str] = set()
    problem: tuple[str, str] | None = None
    for pair in pairs:
        try:
            name, value = _decode_pair(pair)
        except ValueError:
            problem = ("parameter_malformed", _URLENCODED)
            continue
        if name in values:
            repeated.add(name)
        values[name] = value
    if repeated:
        problem = ("parameter_twice", "")
    return Fields({name: value for name, value in values.items() if name not in repeated}, problem)


def _decode_pair(pair: str) -> tuple[str, str]:
    """Returns name and value. Raises ValueError (or UnicodeError) when it is not one pair in UTF-8."""
    if _NOT_URLENCODED.search(pair):
        raise ValueError("not urlencoded")
    name, _, value = (unquote_to_bytes(part.replace("+", " ")).decode() for part in pair.partition("="))
    if not name:
        raise ValueError("a pair without a name")
    return name, value


def parse_form(call: ForwardedCall) -> Mapping[str, str]:
    """Returns the form fields of a POST. Raises OAuthRefusal invalid_request.

    Any query is refused: secrets in a URL end up in every access log (RFC 6749 2.3.1).
    """
    if call.query is not None:
        raise OAuthRefusal.from_fault("parameter_malformed", POST_QUERY_MESSAGE)
    if _FORM.fullmatch(call.single_header("content-type")) is None:
        raise OAuthRefusal.from_fault("header_malformed", "Content-Type (application/x-www-form-urlencoded)")
    if "content-encoding" in call.headers:
        raise OAuthRefusal.from_fault("header_malformed", "Content-Encoding은 허용되지 않습니다")
    try:
        fields = parse_fields(call.body.decode())
    except UnicodeDecodeError as error:
        raise OAuthRefusal.from_fault("parameter_malformed", _URLENCODED) from error
    if fields.problem:
        raise OAuthRefusal.from_fault(*fields.problem)
    return fields.values


def validate_fields(api_id: str, values: Mapping[str, str]) -> None:
    """Checks fields against an API: required ones, types, lengths. Raises OAuthRefusal invalid_request."""
    try:
        get_check(api_id)(values)
    except Refusal as refusal:
        # `from None`: the refusal's context holds request values
        raise OAuthRefusal.from_fault(refusal.fault.name, refusal.detail) from None


@cache
def get_check(api_id: str) -> ParameterCheck:
    """Returns the strict check of an API's query and body fields, compiled once."""
    return compile_parameter_check(load_catalogue().apis[api_id], Checking.STRICT)


def describe_fields(api_id: str, names: Iterable[str]) -> str:
    """Returns the names of fields of an API with their allowed values, for refusals."""
    request = load_catalogue().apis[api_id].request
    fields = {field.name: field for field in request.query + request.body}
    return ", ".join(describe_parameter(fields[name]) for name in names)
