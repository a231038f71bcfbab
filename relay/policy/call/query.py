"""The parameters of a call as the checker and the router see them: each name once, decoded once, in one spelling."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from relay.domain.fault import FAULTS, Refusal
from relay.domain.strict_json import Doubled, read_object

_SHORT: Final = 256
_NAMES_MOST: Final = 64
"""The longest request of the standard has 20 parameters (통합인증-002)."""

_NAME_LENGTH_MOST: Final = 2000
"""Characters of a name. Folding a longer one takes milliseconds; the longest of the standard has 30."""

_BODY_MOST: Final = 16 * 1024
"""The longest body of the standard has 3 KB (next_page, all of it escaped: 6 KB)."""

_NESTED_MOST: Final = 32
"""Lists and objects in one another. The standard nests 3; Python's own bound differs between its versions."""

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""Also one without its end, so that no search begins anew at each of its quotes."""

_AS_LISTS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_NAME_REMEMBERED: Final = 64
_INVISIBLE: Final = frozenset({"Mn", "Me", "Cf"})
"""Categories of characters that stand on others or show nothing: accents, zero-width characters."""

_DECODED_MOST: Final = 3

QUERY_OF_A_POST: Final = "POST 요청의 파라미터는 본문에만 둘 수 있습니다"
"""Why the query of a POST is refused: another reader could take it for the body's parameters."""

_SEPARATORS: Final = re.compile(r"[^0-9a-z_-]+")

NameCheck = Callable[[Mapping[str, object]], None]
"""Raises Refusal(parameter_ambiguous) whose detail is the name of the standard that another name resembles."""


def query_parameters(query: bytes) -> Mapping[str, Any]:
    """Parameters of a GET query. Raises Refusal (40001) when a name stands twice or a value is no UTF-8.

    `+` is a blank and `%xx` a byte, in names too: what any reader behind us could take for `org_code` is taken for it.
    PERF: operators ask with few different queries; one seen before costs 0.3 us, a new one 1.7. Long ones hold cursors,
    which come once.
    """
    return _remembered(query) if len(query) < _SHORT else _read(query)


def _read(query: bytes) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if not query:
        return MappingProxyType(found)
    text = query.decode("ascii")
    encoded = "%" in text or "+" in text
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if encoded:
            name, value = _decoded(name), _decoded(value)
        if name in found:
            raise Refusal(FAULTS["parameter_twice"], _shown(name))
        found[name] = value
    return MappingProxyType(found)


_remembered = lru_cache(maxsize=4096)(_read)


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError as error:
        raise Refusal(FAULTS["parameter_malformed"], "UTF-8만 허용됩니다") from error


def _shown(name: str) -> str:
    """A parameter's name as it may stand in an answer; a name we do not know could be anything."""
    return name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 40 else ""  # noqa: PLR2004


def body_parameters(body: bytes) -> Mapping[str, Any]:
    """Parameters of a JSON body.

    Raises Refusal (40001): no JSON object in UTF-8, a name that stands twice, larger or nested deeper than any body of
    the standard.
    """
    if len(body) > _BODY_MOST:
        raise Refusal(FAULTS["body_too_large"], f"{_BODY_MOST}바이트까지")
    try:
        # PERF: 0.2 us for an object without lists and objects in it, as most bodies are; counting costs 0.7 us
        is_flat = body.rfind(b"{") <= 0 and body.find(b"[") < 0
        if not is_flat and body.count(b"[") + body.count(b"{") > _NESTED_MOST:
            _check_nesting(body)
        return read_object(body)
    except Doubled as error:
        raise Refusal(FAULTS["parameter_twice"]) from error
    except ValueError as error:
        raise Refusal(FAULTS["body_not_json"]) from error


def _check_nesting(body: bytes) -> None:
    """Raise ValueError when lists and objects are nested too deep. PERF: 2 ms at most, for 16 KB."""
    brackets = _STRINGS.sub(b"", body).translate(_AS_LISTS, _NO_BRACKETS)
    for _ in range(_NESTED_MOST):  # each round takes the innermost away
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise ValueError("nested too deep, or no JSON")


def compile_names(names: Iterable[str]) -> NameCheck:
    """The check of the names in one object of parameters: `names` pass, others unless they resemble one of them.

    Readers behind the relay may fold letter case, drop blanks and underscores, take `a.b`, `a[b]` and `a+b` for members
    or lists, and decode twice. A name that one of them could take for a parameter of the standard is refused: two
    readers would see two values.
    """
    known = frozenset(names)
    by_reading = {reading: name for name in known for reading in name_readings(name)}
    taken = frozenset(by_reading)

    def check(parameters: Mapping[str, object]) -> None:
        # PERF: 0.2 us where every name is known; 0.4 us more for each unknown name that was seen before
        if parameters.keys() <= known:
            return
        if len(parameters) > _NAMES_MOST:
            raise Refusal(FAULTS["parameter_malformed"], f"파라미터는 {_NAMES_MOST}개까지")
        for name in parameters:
            if len(name) > _NAME_LENGTH_MOST:
                raise Refusal(FAULTS["parameter_malformed"], f"파라미터의 이름은 {_NAME_LENGTH_MOST}자까지")
            if name not in known and not taken.isdisjoint(readings := name_readings(name)):
                raise Refusal(FAULTS["parameter_ambiguous"], by_reading[min(taken & readings)])

    return check


def name_readings(name: str) -> frozenset[str]:
    """What a tolerant reader could take a name for: letters and digits alone, of the whole and of each of its parts."""
    return _remembered_readings(name) if len(name) < _NAME_REMEMBERED else _readings(name)


def _readings(name: str) -> frozenset[str]:
    folded = _folded(name)
    return frozenset(map(_bare, (folded, *_SEPARATORS.split(folded)))) - {""}


_remembered_readings = lru_cache(maxsize=4096)(_readings)


def _folded(name: str) -> str:
    """The name in small letters, percent-decoded, compatibility characters in their plain form, without accents."""
    for _ in range(_DECODED_MOST):
        before, name = name, _plain(unquote(name, errors="replace"))
        if name == before:
            break
    return name


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(each for each in folded.replace("ı", "i") if unicodedata.category(each) not in _INVISIBLE)


def _bare(text: str) -> str:
    return "".join(each for each in text if each.isascii() and each.isalnum())
