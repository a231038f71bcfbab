"""Scans heads of HTTP/1.1 messages in pure Python. `relay.wire._head_scanner` is the same in Cython.

Both take one whole head that ends in its only empty line. They return None for a head that the relay refuses;
`relay.wire.head` names the violation then.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

SINGLE: Final = frozenset(
    {
        b"accept-encoding",
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"keep-alive",
        b"transfer-encoding",
        b"x-api-tran-id",
        b"x-api-type",
        b"x-user-ci",
    }
)
"""Fields that may occur only once: two readers could use different ones (RFC 9110 5.3, 9112 11.2)."""

USUAL: Final = (
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"authorization", b"cache-control",
    b"connection", b"content-encoding", b"content-length", b"content-type", b"cookie", b"date", b"etag", b"expect",
    b"expires", b"host", b"keep-alive", b"pragma", b"retry-after", b"server", b"transfer-encoding", b"user-agent",
    b"vary", b"via", b"x-api-tran-id", b"x-api-type", b"x-user-ci",
)  # fmt: skip
"""Names of usual fields. Headers have these objects as keys; other names are new objects."""

MAX_LENGTH_DIGITS: Final = 15
"""More digits than any body has bytes."""

_KNOWN: Final = {
    spelt: name
    for name in USUAL
    for spelt in (name, name.title(), name.upper(), name.title().replace(b"Etag", b"ETag"))
}
"""Names of usual fields by their usual spellings."""

# RFC 3986 narrowed: no percent-encoding in the path, no `;` anywhere, so the matched target is the forwarded one.
_TARGET: Final = re.compile(rb"(/[A-Za-z0-9._~/-]*)(?:\?([A-Za-z0-9._~!$'()*+,:@/?&=%-]*))?")
_PERCENT: Final = re.compile(rb"[^%]*(?:%(?!00)[0-9A-Fa-f]{2}[^%]*)*")
_MAX_CACHED_TARGET_BYTES: Final = 256
"""Longer targets are not cached: 4096 of 16 KB would hold 128 MB."""

_START: Final = {b"GET /": 4, b"POST ": 5}
"""Where the target begins, by the first five bytes."""
_VERSION: Final = b" HTTP/1.1"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?")
_SWITCHING: Final = b"101"
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^`|~0-9A-Za-z]+")
"""A token of RFC 9110 5.6.2 without the underscore: some servers take it for a hyphen."""
_CONTROL_AS_LF: Final = bytes(10 if byte != 9 and (byte < 32 or byte == 127) else byte for byte in range(256))  # noqa: PLR2004 - ASCII
"""Makes every control character but the tab an LF."""
_CACHED_FIELDS: Final = frozenset(USUAL) - {
    b"authorization",
    b"cookie",
    b"date",
    b"x-api-tran-id",
    b"x-user-ci",
}
"""Fields whose lines are the same in most messages of a peer, and hold no secret and no customer."""
_MAX_LINE_BYTES: Final = 64
_MAX_LINES: Final = 4096
_lines: Final[dict[bytes, tuple[bytes, bytes]]] = {}
"""Name and value of lines seen before, of at most _MAX_LINE_BYTES. Emptied when it has _MAX_LINES."""
_MAX_STATUSES: Final = 256
_statuses: Final[dict[bytes, tuple[int, bool]]] = {}
"""Status lines seen before, of at most _MAX_LINE_BYTES: status, and whether the response is HTTP/1.0."""


def scan_request(
    raw: bytes, max_headers: int
) -> tuple[str, bytes, bytes, bytes, dict[bytes, bytes], int, bool, bool] | None:
    """Returns method, target, path, query, headers, length, chunked and close of a request head, or None."""
    start = _START.get(raw[:5])
    lines = raw.split(b"\r\n")
    line = lines[0]
    if start is None or line[-9:] != _VERSION:
        return None
    target = line[start:-9]
    try:
        path, query = split_target(target) if len(target) < _MAX_CACHED_TARGET_BYTES else parse_target(target)
        headers = _scan_fields(lines, max_headers)
    except ValueError:
        return None
    if not headers.get(b"host") or (b"upgrade" in headers and asks_to_upgrade(split_fields(lines[1:-2]))):
        return None
    method = "GET" if start == 4 else "POST"  # noqa: PLR2004 - the length of "GET "
    close = b"connection" in headers and b"close" in headers[b"connection"].lower()
    length, chunked = 0, b"transfer-encoding" in headers
    if chunked and not _has_chunked_request(headers, lines):
        return None
    if b"content-length" in headers:
        length = _parse_length(headers[b"content-length"])
    if length < 0 or ((length or chunked) and method == "GET"):  # a body that one reader skips is a request to the next
        return None
    return method, target, path, query, headers, length, chunked, close


def scan_response(raw: bytes, max_headers: int) -> tuple[int, dict[bytes, bytes], int | None, bool, bool] | None:
    """Returns status, headers, length, chunked and close of a response head, or None."""
    lines = raw.split(b"\r\n")
    line = lines[0]
    try:
        status, close = _statuses.get(line) or _parse_status(line)
        headers = _scan_fields(lines, max_headers)
    except ValueError:
        return None
    if b"transfer-encoding" in headers:
        if close or b"content-length" in headers or headers[b"transfer-encoding"].lower() != b"chunked":
            return None
        return status, headers, None, True, b"connection" in headers and b"close" in headers[b"connection"].lower()
    if b"content-length" not in headers:
        return status, headers, None, False, True
    length = _parse_length(headers[b"content-length"])
    if b"connection" in headers:
        close = close or b"close" in headers[b"connection"].lower()
    return None if length < 0 else (status, headers, length, False, close)


def _parse_status(line: bytes) -> tuple[int, bool]:
    """Returns the status and whether the response is HTTP/1.0. Raises ValueError for a malformed line and for 101."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None or match[2] == _SWITCHING:
        raise ValueError("status line is malformed or switches protocols")
    status = int(match[2])
    if len(line) <= _MAX_LINE_BYTES and len(_statuses) < _MAX_STATUSES:
        _statuses[line] = status, match[1] == b"0"
    return status, match[1] == b"0"


def _scan_fields(lines: list[bytes], max_headers: int) -> dict[bytes, bytes]:
    """Returns the fields between the first line and the two empty ones. Of a repeated field the last line counts.

    PERF: four of six lines of a call are those of the call before. The head of a GET takes 43,000 instructions, without
    the dict of lines 51,000, with one regular expression for all lines 70,000, with a fresh llhttp parser 47,000.
    """
    count = len(lines) - 3
    if not 0 <= count <= max_headers or lines[-1] or lines[-2]:
        raise ValueError("too many lines, or none that is empty at the end")
    headers: dict[bytes, bytes] = {}
    for line in lines[1:-2]:
        known = _lines.get(line) if len(line) <= _MAX_LINE_BYTES else None
        name, value = known or _parse_field(line)
        headers[name] = value
    if len(headers) != count and has_duplicates(split_fields(lines[1:-2])):
        raise ValueError("a field that may occur only once is repeated")
    return headers


def _parse_field(line: bytes) -> tuple[bytes, bytes]:
    """Returns the lower-case name and the value without blanks around it. Raises ValueError for a malformed line."""
    name, colon, value = line.partition(b":")
    known = _KNOWN.get(name)
    if known is None:
        if _NAME.fullmatch(name) is None:
            raise ValueError("field name is no token")
        known = _KNOWN.get(name.lower(), name.lower())
    if not colon or line.translate(_CONTROL_AS_LF).partition(b"\n")[1]:
        raise ValueError("field has no colon, or control characters")
    field = known, value.strip(b" \t")
    if known in _CACHED_FIELDS and len(line) <= _MAX_LINE_BYTES:
        if len(_lines) == _MAX_LINES:
            _lines.clear()
        _lines[line] = field
    return field


def split_fields(lines: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Returns the lower-case name and the value of each line; a tab behind the value stays."""
    return [
        (name.lower(), value.lstrip(b" \t").rstrip(b" ")) for name, _, value in (line.partition(b":") for line in lines)
    ]


def has_duplicates(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tells whether a field that may occur only once is repeated."""
    names = [name for name, _ in fields]
    return any(names.count(name) > 1 for name in SINGLE)


def asks_to_upgrade(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tells whether a request asks to leave HTTP/1.1 (RFC 9110 7.8).

    `Proxy-Connection` counts as `Connection`.
    """
    if not any(name == b"upgrade" and value for name, value in fields):
        return False
    options = [value for name, value in fields if name in {b"connection", b"proxy-connection"}]
    return any(option.strip(b" \t").lower() == b"upgrade" for value in options for option in value.split(b","))


def _has_chunked_request(headers: dict[bytes, bytes], lines: Sequence[bytes]) -> bool:
    """Tells whether the body of a request is chunked and nothing else (RFC 9112 6.1). A tab behind it is refused."""
    if b"content-length" in headers:
        return False
    return dict(split_fields(lines[1:-2]))[b"transfer-encoding"].lower() == b"chunked"


def _parse_length(text: bytes) -> int:
    """Returns the length of a body, or -1 if it is no number that a body can have."""
    return int(text) if text.isdigit() and len(text) <= MAX_LENGTH_DIGITS else -1


@lru_cache(maxsize=4096)
def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Splits a request target into path and query. Raises ValueError for an ambiguous target.

    PERF: operators send few different targets; 0.2 us for a cached one, 1.4 us for a new one.
    """
    return parse_target(target)


def parse_target(target: bytes) -> tuple[bytes, bytes]:
    """Does the same without the cache."""
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ValueError("target is not in plain origin-form")
    path, query = match.groups(b"")
    if b"//" in path or b"/." in path or (b"%" in query and _PERCENT.fullmatch(query) is None):
        raise ValueError("target has dot segments, empty segments or broken percent-encoding")
    return path, query
