"""Reads the body of an answer: content coding, charset, JSON."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from relay.domain.strict_json import DuplicateName, read_object
from relay.policy.answers.rules import Rule

MAX_BYTES: Final = 512 * 1024
"""Size up to which an answer is held against the rules, also after decoding: a page of 500 rows has 200 KiB."""

MAX_OBJECTS: Final = 10_000
"""Objects and lists up to which an answer is held against the rules. PERF: 0.05 s."""

_GZIP_OR_ZLIB: Final = 47
"""`wbits` of zlib: the largest window, header detected."""
_CODINGS: Final = frozenset({b"gzip", b"x-gzip", b"deflate"})


class ContentError(ValueError):
    """A body that cannot be read; `rule` is the one that it breaks."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.value)
        self.rule = rule


class TooLarge(ValueError):
    """A body of more than MAX_BYTES after decoding, or more than MAX_OBJECTS. It breaks no rule."""


def read_content(headers: Mapping[bytes, bytes], body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a body with these headers; decimals keep all digits. Raises ContentError, TooLarge."""
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding != b"identity":
        body = _decompress(coding, body)
    if body.count(b"{") + body.count(b"[") > MAX_OBJECTS:
        raise TooLarge
    try:
        return read_object(body, keeps_decimals=True)
    except UnicodeDecodeError:
        raise ContentError(Rule.CHARSET) from None
    except DuplicateName:
        raise ContentError(Rule.DUPLICATE) from None
    except ValueError:
        raise ContentError(Rule.OBJECT if _is_json(body) else Rule.JSON) from None


def _decompress(coding: bytes, body: bytes) -> bytes:
    if coding not in _CODINGS:
        raise ContentError(Rule.CODING)
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        text = inflater.decompress(body, MAX_BYTES)
    except zlib.error:
        raise ContentError(Rule.CODING) from None
    if inflater.unconsumed_tail:
        raise TooLarge
    if not inflater.eof or inflater.unused_data:
        raise ContentError(Rule.CODING)
    return text


def _is_json(body: bytes) -> bool:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return not isinstance(value, dict)
