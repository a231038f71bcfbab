"""Parses the parameters of a call: each name occurs once, is decoded once and has one spelling."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from relay.domain.fault import FAULTS, Refusal
from relay.domain.strict_json import DuplicateName, read_object

_MAX_CACHED_QUERY_BYTES: Final = 256
_MAX_NAMES: Final = 64
"""The longest request of the standard has 20 parameters (통합인증-002)."""

_MAX_NAME_LENGTH: Final = 2000
"""Characters of a name. Folding longer names takes milliseconds; the longest of the standard has 30."""

_MAX_BODY_BYTES: Final = 16 * 1024
"""The longest body of the standard has 3 KB, or 6 KB with next_page fully escaped."""

_JSON_FORM: Final = "UTF-8(BOM 없음)로 작성한 JSON 객체 하나만 허용됩니다"
_MAX_NESTING: Final = 32
"""Nesting of lists and objects. The standard has 3 levels; Python's own limit depends on its version."""

_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""Matches unterminated strings too, so that the search does not restart at each of their quotes."""

_BRACES_TO_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_OTHER_BYTES: Final = bytes(set(range(256)) - set(b"[]{}"))
_MAX_CACHED_NAME_LENGTH: Final = 64
_INVISIBLE: Final = frozenset({"Mn", "Me", "Cf"})
"""Unicode categories of combining and invisible characters: accents, zero-width characters."""

_MAX_DECODINGS: Final = 3

POST_QUERY_MESSAGE: Final = "POST 요청의 파라미터는 본문에만 둘 수 있습니다"
"""Refuses the query of a POST: another reader could take it for parameters of the body."""

_SEPARATORS: Final = re.compile(r"[^0-9a-z_-]+")

NameCheck = Callable[[Mapping[str, object]], None]
"""Raises Refusal(parameter_ambiguous); the detail is the standard's name that another name resembles."""


class Parameters:
    """The parameters of a call. The values never change; the last check that they passed is remembered.

    Parsed queries are cached, so one object may serve many calls.
    """

    __slots__ = ("_passed", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._passed: object = None

    def validate_once(self, check: Callable[[Mapping[str, object]], None]) -> None:
        """Runs a check unless the parameters have passed it last. Raises what it raises.

        PERF: operators send few different queries; the check of a new one costs 0.7 us.
        """
        if self._passed is not check:
            check(self.values)
            self._passed = check


def parse_query(query: bytes) -> Parameters:
    """Parses the query of a GET. Raises Refusal (40001) for a duplicate name or a value not in UTF-8.

    `+` is a space and `%xx` a byte, in names too, so that all spellings of `org_code` are found.
    PERF: operators send few different queries; a cached one costs 0.3 us, a new one 1.7 us. Long queries hold cursors
    and do not repeat.
    """
    return _parse_cached(query) if len(query) < _MAX_CACHED_QUERY_BYTES else _parse(query)


def _parse(query: bytes) -> Parameters:
    parameters: dict[str, Any] = {}
    if not query:
        return Parameters(MappingProxyType(parameters))
    text = query.decode("ascii")
    is_encoded = "%" in text or "+" in text
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if is_encoded:
            name, value = _decode(name), _decode(value)
        if name in parameters:
            raise Refusal(FAULTS["parameter_twice"], _redact(name))
        parameters[name] = value
    return Parameters(MappingProxyType(parameters))


_parse_cached = lru_cache(maxsize=4096)(_parse)


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError as error:
        raise Refusal(FAULTS["parameter_malformed"], "UTF-8만 허용됩니다") from error


def _redact(name: str) -> str:
    """Returns the name if it is safe in a response, else "": an unknown name could hold anything."""
    return name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 40 else ""  # noqa: PLR2004


def parse_body(body: bytes) -> Mapping[str, Any]:
    """Returns the parameters of a JSON body.

    Raises Refusal (40001) when the body is not a JSON object in UTF-8, has a duplicate name, or is larger or nested
    deeper than any body of the standard.
    """
    if len(body) > _MAX_BODY_BYTES:
        raise Refusal(FAULTS["body_too_large"], f"{_MAX_BODY_BYTES}바이트까지")
    try:
        # PERF: 0.2 us for a flat object, as most bodies are; counting brackets costs 0.7 us
        is_flat = body.rfind(b"{") <= 0 and body.find(b"[") < 0
        if not is_flat and body.count(b"[") + body.count(b"{") > _MAX_NESTING:
            _check_nesting(body)
        return read_object(body)
    except DuplicateName as duplicate:
        raise Refusal(FAULTS["parameter_twice"]) from duplicate
    except ValueError as error:
        raise Refusal(FAULTS["body_not_json"], _JSON_FORM) from error


def _check_nesting(body: bytes) -> None:
    """Raises ValueError when lists and objects are nested too deeply. PERF: at most 2 ms, for 16 KB."""
    brackets = _STRINGS.sub(b"", body).translate(_BRACES_TO_BRACKETS, _OTHER_BYTES)
    for _ in range(_MAX_NESTING):  # each round removes the innermost pairs
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise ValueError("nested too deeply, or not JSON")


def compile_name_check(names: Iterable[str]) -> NameCheck:
    """Returns the check of parameter names: `names` pass, and others that do not resemble one of them.

    Readers behind the relay may ignore letter case, spaces and underscores, read `a.b`, `a[b]` and `a+b` as members or
    lists, and decode twice. A name that such a reader could take for a parameter of the standard is refused, because
    two readers would see two values.
    """
    known = frozenset(names)
    by_reading = {reading: name for name in known for reading in get_name_readings(name)}
    return partial(_check_names, known, frozenset(by_reading), by_reading)


def _check_names(
    known: frozenset[str],
    reserved: frozenset[str],
    by_reading: Mapping[str, str],
    parameters: Mapping[str, object],
) -> None:
    """Raises Refusal unless each name is known or resembles no known one; `reserved` are the keys of `by_reading`.

    PERF: 0.3 us when all names are known; 0.4 us more for each unknown name that is cached. A nested function would be
    a reference cycle in the compiled form: 0.2 MB of each replaced plan were never freed.
    """
    if parameters.keys() <= known:
        return
    if len(parameters) > _MAX_NAMES:
        raise Refusal(FAULTS["parameter_malformed"], f"파라미터는 {_MAX_NAMES}개까지")
    for name in parameters:
        if len(name) > _MAX_NAME_LENGTH:
            raise Refusal(FAULTS["parameter_malformed"], f"파라미터의 이름은 {_MAX_NAME_LENGTH}자까지")
        if name not in known and not reserved.isdisjoint(readings := get_name_readings(name)):
            raise Refusal(FAULTS["parameter_ambiguous"], by_reading[min(reserved & readings)])


def get_name_readings(name: str) -> frozenset[str]:
    """Returns the names that a tolerant reader could see: letters and digits of the whole name and of its parts."""
    return _compute_readings_cached(name) if len(name) < _MAX_CACHED_NAME_LENGTH else _compute_readings(name)


def _compute_readings(name: str) -> frozenset[str]:
    folded = _fold(name)
    return frozenset(map(_strip_symbols, (folded, *_SEPARATORS.split(folded)))) - {""}


_compute_readings_cached = lru_cache(maxsize=4096)(_compute_readings)


def _fold(name: str) -> str:
    """Returns the name in lower case, percent-decoded, NFKD-normalized and without accents."""
    for _ in range(_MAX_DECODINGS):
        previous, name = name, _normalize(unquote(name, errors="replace"))
        if name == previous:
            break
    return name


def _normalize(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in folded.replace("ı", "i") if unicodedata.category(char) not in _INVISIBLE)


def _strip_symbols(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isalnum())
