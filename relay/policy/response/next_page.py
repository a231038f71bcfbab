"""Finds out whether a response has a next page, while its body passes by (규격 2.3 next_page)."""

import re
import zlib
from collections.abc import Mapping
from typing import Final

from relay.policy.response.completeness import MAX_INFLATED_BYTES

_CODINGS: Final = {b"gzip", b"x-gzip", b"deflate"}
_GZIP_OR_ZLIB: Final = 47
"""`wbits` of zlib: the largest window, header detected."""

_NAME: Final = b'"next_page"'
_EMPTY: Final = re.compile(rb'"next_page"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}(?:""|null)')
"""A member without a cursor, as some institutions write it on the last page instead of leaving it out."""

_ESCAPED: Final = re.compile(rb"\\u00(?:6[1579eE]|7[048]|5[fF])")
"""A letter of the name, escaped: the name could be spelled with it. No usual writer of JSON escapes letters."""

_CARRIED: Final = 48
"""Bytes that are looked at again with the next part: more than _EMPTY and _ESCAPED match."""


class NextPageDetector:
    """Receives a body in parts; `is_last` is whether the body, once complete, is that of a last page.

    If in doubt the page is not the last one: a name that is spelled with escapes, or is a member of another object, and
    a body that is compressed in an unknown way, in several gzip members, or to more than MAX_INFLATED_BYTES.

    PERF: 40 us for 64 KB of rows, in scheduled calls of APIs with pages alone.
    """

    __slots__ = ("_carried", "_inflater", "_remaining", "is_last")

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        coding = headers.get(b"content-encoding", b"identity").lower()
        self.is_last = coding == b"identity" or coding in _CODINGS
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if coding in _CODINGS else None
        self._remaining = MAX_INFLATED_BYTES
        self._carried = b""

    def feed(self, part: bytes) -> None:
        """Processes the next part."""
        if not self.is_last:
            return
        if self._inflater is not None:
            part = self._inflate(part)
        text = self._carried + part
        self._carried = text[-_CARRIED:]
        self._search(text, len(text) - _CARRIED)

    def end(self) -> None:
        """Processes the end of the body."""
        if self.is_last:
            self._search(self._carried, len(self._carried))
            if self._inflater is not None and not self._inflater.eof:
                self.is_last = False

    def _search(self, text: bytes, end: int) -> None:
        """Searches for a name that begins before `end`."""
        start = text.find(_NAME, 0, end + len(_NAME) - 1) if end > 0 else -1
        while start >= 0:
            if _EMPTY.match(text, start) is None:
                self.is_last = False
                return
            start = text.find(_NAME, start + 1, end + len(_NAME) - 1)
        if b"\\u00" in text and _ESCAPED.search(text) is not None:
            self.is_last = False

    def _inflate(self, part: bytes) -> bytes:
        """Returns the text of a part, b"" if it is unreadable.

        PERF: nothing is fed after the end of a member: zlib keeps it all, and copies it with each part.
        """
        assert self._inflater is not None  # noqa: S101 - the caller has checked
        try:
            text = self._inflater.decompress(part, self._remaining)
        except zlib.error:
            self.is_last = False
            return b""
        self._remaining -= len(text)
        if self._remaining <= 0 or self._inflater.unused_data:
            self.is_last = False
        return text
