"""Checks the text of a large body while it passes by: charset, brackets, and its last bytes."""

import re
import zlib
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Mapping
from typing import Final

from relay.policy.response.completeness import MAX_INFLATED_BYTES
from relay.policy.response.rsp_code import HEAD_BYTES, TEXT_BYTES, is_encoded, is_readable, select_text

_GZIP_OR_ZLIB: Final = 47
"""`wbits` of zlib: the largest window, header detected."""
_FIRST_ROW: Final = b"[{"
_LAST_ROW: Final = b"}]"
_MAX_BRACKETS: Final = 16
"""Brackets of a part that are looked at, if its list of rows does not begin or end as usual."""
_MAX_BLANKS: Final = 64
_STRINGS: Final = re.compile(rb'"[^"\\]*"')
_PARTNERS: Final = {b"{": b"}", b"[": b"]"}
_BLANKS: Final = b" \t\r\n"
_build_decoder: Final = getincrementaldecoder("utf-8")


class StreamedText:
    """Receives a body in parts, with its content coding. `tail` has the last HEAD_BYTES of its text.

    A body in an unknown coding, or of more than MAX_INFLATED_BYTES after decoding, has no text: `is_readable` is false.
    `is_utf8` is about the first TEXT_BYTES that are not only ASCII. PERF: 10 us for 96 KB.
    """

    __slots__ = (
        "_decoder",
        "_first",
        "_has_more",
        "_inflater",
        "_is_open",
        "_missing",
        "_remaining",
        "is_readable",
        "is_utf8",
        "tail",
    )

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self.is_readable = is_readable(headers)
        self.is_utf8 = True
        self.tail = b""
        is_compressed = self.is_readable and is_encoded(headers)
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if is_compressed else None
        self._remaining = MAX_INFLATED_BYTES
        self._decoder = _build_decoder()
        self._missing = TEXT_BYTES
        self._first = b""
        self._is_open = self._has_more = False

    def feed(self, part: bytes) -> None:
        """Processes the next part."""
        if not self.is_readable or not part:
            return
        if self._inflater is not None:
            part = self._inflate(self._inflater, part)
        self._first = self._first or part.removeprefix(BOM_UTF8).lstrip(_BLANKS)[:1]
        self._find_open_list(part)
        self.tail = part[-HEAD_BYTES:] if len(part) >= HEAD_BYTES else (self.tail + part)[-HEAD_BYTES:]
        if self._missing and (self._missing < TEXT_BYTES or not part.isascii()):
            self._decode(part)

    @property
    def ends_as_json(self) -> bool:
        """Whether the text can end a JSON object or array; a body without text can.

        A page that is cut after a row leaves its list open, one that is cut later lacks the last brace. A list of lists
        may be cut unnoticed, and so may rows that begin after white space: a lone `[` in a text must not make a
        complete page a cut one.
        """
        if not self.is_readable:
            return True
        if self._inflater is not None and (self._has_more or not self._inflater.eof):
            return False
        end = self.tail.rstrip(_BLANKS)
        return end[-1:] == _PARTNERS.get(self._first) and not self._is_open and _closes_object(end)

    def _find_open_list(self, part: bytes) -> None:
        """Finds out whether the last list of rows is open after a part."""
        opened, closed = _find_start(part), _find_end(part, self.tail)
        if opened < 0 and self.tail.rstrip(_BLANKS).endswith(b"[") and part.lstrip(_BLANKS).startswith(b"{"):
            opened = 0
        if opened != closed:  # the part has one of them
            self._is_open = opened > closed

    def _decode(self, part: bytes) -> None:
        """Decodes text until TEXT_BYTES of it are checked; a character may be in two parts."""
        text = select_text(part) if self._missing == TEXT_BYTES else part[: self._missing]
        self._missing -= len(text)
        try:
            self._decoder.decode(text)
        except UnicodeDecodeError:
            self.is_utf8, self._missing = False, 0

    def _inflate(self, inflater: "zlib._Decompress", part: bytes) -> bytes:
        """Returns the text of a part, b"" if it is unreadable.

        PERF: nothing is fed after the end of a member: zlib keeps it all, and copies it with each part.
        """
        if inflater.eof or self._has_more:
            self._has_more = True
            return b""
        try:
            text = inflater.decompress(part, self._remaining)
        except zlib.error:
            self.is_utf8, self._has_more = False, True
            return b""
        self._has_more = bool(inflater.unused_data)
        self._remaining -= len(text)
        if self._remaining <= 0:
            self.is_readable = False
        return text


def _find_start(part: bytes) -> int:
    """Returns the offset of the last list of rows, -1 if none begins. A `[` in a text has no object after it."""
    at = len(part)
    for _ in range(_MAX_BRACKETS):
        at = part.rfind(b"[", 0, at)
        if at < 0 or part[at + 1 : at + _MAX_BLANKS].lstrip(_BLANKS).startswith(b"{"):
            return at
    return part.rfind(_FIRST_ROW)


def _find_end(part: bytes, before: bytes) -> int:
    """Returns the offset of the last end of a list, -1 if none ends. A `]` in a text has no object before it."""
    at = len(part)
    for _ in range(_MAX_BRACKETS):
        at = part.rfind(b"]", 0, at)
        if at < 0:
            return -1
        former = part[max(at - _MAX_BLANKS, 0) : at].rstrip(_BLANKS) or before.rstrip(_BLANKS)
        if former.endswith((b"}", b"[")):
            return at
    at = part.rfind(_LAST_ROW)
    return at + 1 if at >= 0 else -1


def _closes_object(end: bytes) -> bool:
    """Whether the end of an object, from its last list on, has a brace that closes it.

    If in doubt it has: where that list is further away, and where a string has brackets or escapes.
    """
    rest = end[end.rfind(b"]") + 1 :]
    if len(rest) in {0, len(end)} or b"\\" in rest or rest.count(b'"') % 2:
        return True
    rest = _STRINGS.sub(b"", rest)
    return rest.count(b"}") > rest.count(b"{")
