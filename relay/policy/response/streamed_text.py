"""Checks the text of a large body while it passes by: charset, braces, and its last bytes."""

import codecs
import zlib
from collections.abc import Mapping
from typing import Final

from relay.policy.response.completeness import MAX_INFLATED_BYTES
from relay.policy.response.rsp_code import HEAD_BYTES, is_encoded, is_readable

_GZIP_OR_ZLIB: Final = 47
"""`wbits` of zlib: the largest window, header detected."""
_build_decoder: Final = codecs.getincrementaldecoder("utf-8")


class StreamedText:
    """Receives a body in parts, with its content coding. `tail` has the last HEAD_BYTES of its text.

    A body in an unknown coding, or of more than MAX_INFLATED_BYTES after decoding, has no text: `is_readable` is false.
    PERF: 0.1 ms for 96 KB of Korean text, 0.02 ms for ASCII.
    """

    __slots__ = ("_braces", "_decoder", "_inflater", "_is_pending", "_remaining", "is_readable", "is_utf8", "tail")

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self.is_readable = is_readable(headers)
        self.is_utf8 = True
        self.tail = b""
        is_compressed = self.is_readable and is_encoded(headers)
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB) if is_compressed else None
        self._remaining = MAX_INFLATED_BYTES
        self._decoder = _build_decoder()
        self._is_pending = False
        self._braces = 0

    def feed(self, part: bytes) -> None:
        """Processes the next part."""
        if not self.is_readable:
            return
        if self._inflater is not None:
            part = self._inflate(self._inflater, part)
        self._braces += part.count(b"{") - part.count(b"}")
        self.tail = part[-HEAD_BYTES:] if len(part) >= HEAD_BYTES else (self.tail + part)[-HEAD_BYTES:]
        if self.is_utf8 and (self._is_pending or not part.isascii()):
            self._decode(part)

    @property
    def ends_as_json(self) -> bool:
        """Whether the text can end a JSON object or array; a body without text can.

        A page that is cut after a row leaves its list and its object open. Braces in strings are counted too, so a text
        that ends a list is never taken for a cut one.
        """
        if not self.is_readable:
            return True
        end = self.tail.rstrip(b" \t\r\n")
        if self._inflater is not None and not self._inflater.eof:
            return False
        return end[-1:] == b"]" or (end[-1:] == b"}" and (not self._braces or end[-2:] == b"]}"))

    def _decode(self, part: bytes) -> None:
        try:
            self._decoder.decode(part)
        except UnicodeDecodeError:
            self.is_utf8 = False
        else:
            self._is_pending = bool(self._decoder.getstate()[0])

    def _inflate(self, inflater: "zlib._Decompress", part: bytes) -> bytes:
        """Returns the text of a part, b"" if it is unreadable."""
        try:
            text = inflater.decompress(part, self._remaining)
        except zlib.error:
            self.is_utf8 = False
            return b""
        self._remaining -= len(text)
        if self._remaining <= 0:
            self.is_readable = False
        return text
