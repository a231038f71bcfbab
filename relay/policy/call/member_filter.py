"""A JSON answer read token by token, so that a large one can be read in slices, and members of some names left out.

`json` reads a body in one piece: a list of 4 MB of small numbers held the event loop for 0.97 s.
"""

import json
import re
from typing import Final

from relay.domain.strict_json import Doubled
from relay.policy.call.query import name_readings

TOKENS_MOST: Final = 500_000
"""Names, values and signs in one answer; a page of 500 rows with 25 fields has 50,000."""

_NAMES_MOST: Final = 500
_NAME_LENGTH_MOST: Final = 100
"""Different names in one answer, and characters of a name. PERF: each is folded once, 1 us for three characters."""

_DEPTH_MOST: Final = 100
"""Objects and lists within each other; the standard's answers have five."""

_PLAIN: Final = r'[^"\\\x00-\x1f]{0,65536}+'
_ESCAPES: Final = rf'(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{{4}}){_PLAIN}){{1,4096}}+'
_STRING: Final = rf'"{_PLAIN}(?:"|{_ESCAPES}")'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_SCALAR: Final = rf"{_STRING}|{_NUMBER}|true|false|null"
_TOKEN: Final = re.compile(rf"[ \t\n\r]*+(?:([{{}}\[\],:])|({_STRING})|({_NUMBER}|true|false|null))")
_MEMBER: Final = re.compile(rf"[ \t\n\r]*+({_STRING})[ \t\n\r]*+:[ \t\n\r]*+({_SCALAR})[ \t\n\r]*+([,}}])")
"""A member with a plain value, and the sign behind it."""

_SIGN: Final = 1
_STRING_GROUP: Final = 2

# what may come next
_VALUE, _VALUE_OR_END, _NAME, _NAME_OR_END, _COLON, _COMMA_OR_END, _NOTHING = range(7)
_BEFORE_NAME: Final = frozenset({_NAME, _NAME_OR_END})


class _Shown(dict[str, bool]):
    """Whether a member may be seen, by its name; decided once for each name of an answer."""

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__(dict.fromkeys(fields, False))
        self._readings = frozenset(reading for field in fields for reading in name_readings(field))

    def __missing__(self, name: str) -> bool:
        if len(self) >= _NAMES_MOST or len(name) > _NAME_LENGTH_MOST:
            raise ValueError("names that no answer of the standard has")
        self[name] = shown = self._readings.isdisjoint(name_readings(name))
        return shown


class _Level:
    """An object (`names` are those it has so far) or a list (`names` is None) that is not closed yet."""

    __slots__ = ("is_shown", "names", "was_shown", "wrote")

    def __init__(self, *, is_object: bool, was_shown: bool) -> None:
        self.names: set[str] | None = set() if is_object else None
        self.was_shown = self.is_shown = was_shown
        self.wrote = False


class MemberFilter:
    """Takes members of some names out of a JSON object, however deep; `read` does it in slices.

    A member whose name resembles one of `fields` goes, too: an operator's reader may fold letter case
    (`compile_names`). Blanks between members go; what stays is spelled as it was. ValueError says that the body is no
    JSON object, holds a name twice, NaN or half a surrogate, or has too many or too deeply nested values: what cannot
    be read cannot be judged.
    """

    def __init__(self, body: bytes, fields: frozenset[str]) -> None:
        """Raises ValueError when the body is not UTF-8."""
        self._text = body.decode()
        self._shown = _Shown(fields)
        self._at = 0
        self._tokens = 0
        self._expected = _VALUE
        self._levels: list[_Level] = []
        self._written: list[str] = []

    @property
    def result(self) -> bytes:
        """The object without the members, once `read` has returned True."""
        return "".join(self._written).encode()

    def read(self, tokens: int) -> bool:
        """Read at most so many tokens. Returns whether all was read. Raises ValueError."""
        match, text = _TOKEN.match, self._text
        left = tokens
        while left > 0:
            if self._expected in _BEFORE_NAME and (taken := self._take_members(left)):
                left -= taken
                if self._expected == _NOTHING:
                    return self._check_end()
                continue
            left -= 1
            found = match(text, self._at)
            if found is None:
                raise ValueError("no JSON")
            self._at = found.end()
            kind = found.lastindex
            if kind == _SIGN:
                self._take_sign(found[_SIGN])
            elif kind == _STRING_GROUP and self._expected in _BEFORE_NAME:
                self._take_name(found[_STRING_GROUP])
            else:
                self._take_value(found[kind or 0], is_string=kind == _STRING_GROUP)
            if self._expected == _NOTHING:
                return self._check_end()
        self._tokens += tokens - left
        if self._tokens > TOKENS_MOST:
            raise ValueError("too many values")
        return False

    def _check_end(self) -> bool:
        """Return True. Raises ValueError when something follows the object."""
        if self._text[self._at :].strip(" \t\n\r"):
            raise ValueError("something follows the object")
        return True

    def _take_members(self, most: int) -> int:
        """Take members with plain values; the last may close the object. Returns how many tokens they are.

        PERF: `_take_name` and `_take_value` written out; 5 ms instead of 16 for 500 rows.
        """
        match, text, at, written, shown = _MEMBER.match, self._text, self._at, self._written, self._shown
        level, left, sign = self._levels[-1], most, ","
        names = level.names
        while left > 0 and sign == "," and names is not None and (member := match(text, at)):
            at = member.end()
            spelled, value, sign = member.groups()
            name = _text_of(spelled) if "\\" in spelled else spelled[1:-1]
            if name in names:
                raise Doubled
            names.add(name)
            if "\\u" in value:
                _text_of(value)
            if level.was_shown and shown[name]:
                written.append(f",{spelled}:{value}" if level.wrote else f"{spelled}:{value}")
                level.wrote = True
            left -= 4
        if left == most:
            return 0
        self._at, self._expected, level.is_shown = at, _NAME, level.was_shown
        if sign == "}":
            self._expected = _COMMA_OR_END
            self._close(sign)
        return most - left

    def _take_sign(self, sign: str) -> None:
        if sign in "{[":
            self._open(is_object=sign == "{")
        elif sign in "}]":
            self._close(sign)
        elif sign == ":":
            self._expect(_COLON)
            self._expected = _VALUE
        else:
            self._expect(_COMMA_OR_END)
            level = self._levels[-1]
            level.is_shown = level.was_shown
            self._expected = _VALUE if level.names is None else _NAME

    def _open(self, *, is_object: bool) -> None:
        self._expect(_VALUE, _VALUE_OR_END)
        if not self._levels and not is_object:
            raise ValueError("no object")
        if len(self._levels) == _DEPTH_MOST:
            raise ValueError("nested too deep")
        is_shown = self._begin_value()
        self._levels.append(_Level(is_object=is_object, was_shown=is_shown))
        if is_shown:
            self._written.append("{" if is_object else "[")
        self._expected = _NAME_OR_END if is_object else _VALUE_OR_END

    def _close(self, sign: str) -> None:
        level = self._levels.pop() if self._levels else None
        if level is None or (level.names is None) is not (sign == "]"):
            raise ValueError("no JSON")
        self._expect(_COMMA_OR_END, _VALUE_OR_END if level.names is None else _NAME_OR_END)
        if level.was_shown:
            self._written.append(sign)
        self._expected = _COMMA_OR_END if self._levels else _NOTHING

    def _take_name(self, spelled: str) -> None:
        level = self._levels[-1]
        name = _text_of(spelled) if "\\" in spelled else spelled[1:-1]
        names = level.names
        if names is None or name in names:
            raise Doubled
        names.add(name)
        level.is_shown = level.was_shown and self._shown[name]
        if level.is_shown:
            self._written.append(f",{spelled}:" if level.wrote else f"{spelled}:")
            level.wrote = True
        self._expected = _COLON

    def _take_value(self, spelled: str, *, is_string: bool) -> None:
        self._expect(_VALUE, _VALUE_OR_END)
        if not self._levels:
            raise ValueError("no object")
        if is_string and "\\u" in spelled:
            _text_of(spelled)
        if self._begin_value():
            self._written.append(spelled)
        self._expected = _COMMA_OR_END

    def _begin_value(self) -> bool:
        """Whether the value that begins is shown; writes the comma before it in a list."""
        if not self._levels:
            return True
        level = self._levels[-1]
        if level.names is None and level.is_shown:
            if level.wrote:
                self._written.append(",")
            level.wrote = True
        return level.is_shown

    def _expect(self, *allowed: int) -> None:
        if self._expected not in allowed:
            raise ValueError("no JSON")


def _text_of(spelled: str) -> str:
    """The text of a string with escapes. Raises ValueError when it holds half a surrogate."""
    text: str = json.loads(spelled)
    text.encode()
    return text
