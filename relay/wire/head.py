"""Parses heads of HTTP/1.1 messages strictly, with llhttp (through httptools). Raises ProtocolError for all others.

Nothing outside `wire/` depends on the parser.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import httptools

HEAD_END: Final = b"\r\n\r\n"

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

# RFC 3986 narrowed: no percent-encoding in the path, no `;` anywhere, so the matched target is the forwarded one.
_TARGET: Final = re.compile(rb"(/[A-Za-z0-9._~/-]*)(?:\?([A-Za-z0-9._~!$'()*+,:@/?&=%-]*))?")
_PERCENT: Final = re.compile(rb"[^%]*(?:%(?!00)[0-9A-Fa-f]{2}[^%]*)*")
_GET: Final = 4
_METHODS: Final = {b"GET /": _GET, b"POST ": 5}
_VERSION: Final = b" HTTP/1.1"
_CACHED_TARGET_MOST: Final = 256
"""Longer targets are not cached: 4096 of 16 KB would hold 128 MB."""
_OTHER_METHOD: Final = re.compile(rb"[A-Z]{3,20} /[!-~]* HTTP/1\.1\r\n")


class Violation(StrEnum):
    """How a message violates HTTP/1.1 or a limit."""

    HEAD_MALFORMED = "head_malformed"
    HEAD_TOO_LARGE = "head_too_large"
    HEAD_TOO_SLOW = "head_too_slow"
    TARGET_MALFORMED = "target_malformed"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_MALFORMED = "body_malformed"
    BODY_OF_A_GET = "body_of_a_get"


class ProtocolError(Exception):
    """A refused message. `raw` is the part of its head that was received.

    `most` (bytes) or `headers` (a number) is the limit that it exceeds; both are 0 if it exceeds none.
    """

    def __init__(self, violation: Violation, raw: bytes = b"", *, most: int = 0, headers: int = 0) -> None:
        super().__init__(violation.value)
        self.violation = violation
        self.raw = raw
        self.most = most
        self.headers = headers


@dataclass(slots=True)
class RequestHead:
    """The head of a request. `target` is as received; `path` and `query` are its parts; header names are lower case."""

    method: str
    target: bytes
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    length: int
    chunked: bool
    close: bool


@dataclass(slots=True)
class ResponseHead:
    """The head of a response. `length` is None if the body is chunked or ends with the connection."""

    status: int
    headers: dict[bytes, bytes]
    length: int | None
    chunked: bool
    close: bool


_USUAL: Final = (
    "accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "cache-control", "connection",
    "content-encoding", "content-length", "content-type", "cookie", "date", "etag", "expect", "expires", "host",
    "keep-alive", "pragma", "retry-after", "server", "transfer-encoding", "user-agent", "vary", "via",
    "x-api-tran-id", "x-api-type", "x-user-ci",
)  # fmt: skip
_KNOWN: Final = {
    spelt.encode(): name.encode()
    for name in _USUAL
    for spelt in (name, name.title(), name.upper(), name.title().replace("Etag", "ETag"))
}
"""Lower-case names of usual fields by their usual spellings."""


class HeadParser:
    """An llhttp parser for the heads of one direction of one connection.

    The parser is kept from head to head while it sees every byte. A head with a body sets `owed`; passing the body to
    `body` clears it. If `owed` is still set at the next head, a fresh parser takes over.

    PERF: a fresh parser for each head costs 1 us and much of the cache; dict.__setitem__ as its callback costs 1.1 us
    for eight fields, a Python method 2.3 us; looking up the usual names costs 0.9 us, lowering them 2.4 us. `in`
    between bytes raises and drops an exception before it searches (CPython 3.11): 0.5 us more than `bytes.find`.
    """

    __slots__ = ("_exact", "_kind", "_parser", "on_header", "owed")

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._exact: dict[bytes, bytes] = {}
        self.on_header = self._exact.__setitem__
        self._parser = kind(self)
        self.owed = False

    def fields(self, raw: bytes, most: int) -> dict[bytes, bytes]:
        """Parse one whole head. Returns header fields by lower-case name. Raises ProtocolError."""
        if self.owed:
            self._parser = self._kind(self)
            self.owed = False
        exact = self._exact
        exact.clear()
        try:
            self._parser.feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._feed_fresh_parser(raw)
        try:
            headers = {_KNOWN[name]: value for name, value in exact.items()}
        except KeyError:
            headers = {name.lower(): value for name, value in exact.items()}
            if b"_" in b"".join(headers):
                raise ProtocolError(Violation.HEAD_MALFORMED, raw) from None
        lines = raw.count(b"\r\n") - 2  # llhttp let no bare LF pass
        if lines > most:
            raise ProtocolError(Violation.HEAD_TOO_LARGE, raw, headers=most)
        if len(headers) != lines:
            _refuse_duplicates(raw)
        if raw.find(b" \r\n") > 0 or raw.find(b"\t") > 0:  # trailing blanks are no part of a value (RFC 9112 5.1)
            return {name: value.strip(b" \t") for name, value in headers.items()}
        return headers

    def _feed_fresh_parser(self, raw: bytes) -> None:
        """Parse with a fresh parser: the kept one may have ended with the message before.

        llhttp takes nothing after `Proxy-Connection: close`, although that field has no meaning here.
        """
        self._parser = self._kind(self)
        self._exact.clear()
        try:
            self._parser.feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise ProtocolError(Violation.HEAD_MALFORMED, raw) from error

    def status(self) -> int:
        """Return the status of the last response head."""
        return int(self._parser.get_status_code())

    def body(self, data: bytes) -> None:
        """Feed the whole body behind the last head."""
        if data:
            self._parser.feed_data(data)
        self.owed = False


def build_request_parser() -> HeadParser:
    """Build a parser for the heads of requests."""
    return HeadParser(httptools.HttpRequestParser)


def build_response_parser() -> HeadParser:
    """Build a parser for the heads of responses."""
    return HeadParser(httptools.HttpResponseParser)


def _refuse_duplicates(raw: bytes) -> None:
    names = [line.split(b":", 1)[0].lower() for line in raw[: -len(HEAD_END)].split(b"\r\n")[1:]]
    if any(names.count(name) > 1 for name in SINGLE):
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)


def parse_request_head(raw: bytes, most_headers: int, parser: HeadParser) -> RequestHead:
    """Parse one whole request head, `raw` ending in the empty line, with the parser of its connection.

    Raises ProtocolError for everything but plain HTTP/1.1 with GET or POST, origin-form, and one kind of framing.
    """
    skip = _METHODS.get(raw[:5])
    if skip is None:
        raise ProtocolError(Violation.METHOD_NOT_ALLOWED if _OTHER_METHOD.match(raw) else Violation.HEAD_MALFORMED, raw)
    line_end = raw.find(b"\r")
    if raw[line_end - 9 : line_end] != _VERSION:
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    headers = parser.fields(raw, most_headers)
    target = raw[skip : line_end - 9]
    try:
        path, query = split_target(target) if len(target) < _CACHED_TARGET_MOST else _split(target)
    except ValueError:
        raise ProtocolError(Violation.TARGET_MALFORMED, raw) from None
    if not headers.get(b"host"):
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    close = b"connection" in headers and _closes(headers)
    parser.owed = close  # llhttp takes nothing after the last request; the connection judges what follows
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return RequestHead("GET" if skip == _GET else "POST", target, path, query, headers, 0, False, close)
    length, chunked = _framing(headers, raw)
    parser.owed = close or bool(length) or chunked
    if skip == _GET and (length or chunked):  # a body that one reader skips is a request to the next
        raise ProtocolError(Violation.BODY_OF_A_GET, raw)
    return RequestHead("GET" if skip == _GET else "POST", target, path, query, headers, length, chunked, close)


@lru_cache(maxsize=4096)
def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Split a request target into path and query. Raises ValueError for an ambiguous target.

    PERF: operators send few different targets; 0.2 us for a cached one, 1.4 us for a new one.
    """
    return _split(target)


def _split(target: bytes) -> tuple[bytes, bytes]:
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ValueError("target is not in plain origin-form")
    path, query = match.groups(b"")
    if b"//" in path or b"/." in path or (b"%" in query and _PERCENT.fullmatch(query) is None):
        raise ValueError("target has dot segments, empty segments or broken percent-encoding")
    return path, query


def _framing(headers: dict[bytes, bytes], raw: bytes) -> tuple[int, bool]:
    """Return the body's length and whether it is chunked, never both. Chunked must be alone (RFC 9112 6.1)."""
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    return (_length(headers, raw) if b"content-length" in headers else 0), coding is not None


def _length(headers: dict[bytes, bytes], raw: bytes) -> int:
    text = headers[b"content-length"]
    if not text.isdigit() or len(text) > 15:  # noqa: PLR2004 - more digits than any body has bytes
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    return int(text)


def _closes(headers: dict[bytes, bytes]) -> bool:
    connection = headers.get(b"connection")
    return connection is not None and b"close" in connection.lower()


def parse_response_head(raw: bytes, most_headers: int, parser: HeadParser) -> ResponseHead:
    """Parse one whole response head, `raw` ending in the empty line, with the parser of its connection.

    Raises ProtocolError for everything but HTTP/1.1 and the HTTP/1.0 of small servers, whose responses end with the
    connection and have no transfer coding.
    """
    is_http_1_0 = raw[:9] == b"HTTP/1.0 "
    if raw[:9] != b"HTTP/1.1 " and not is_http_1_0:
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    headers = parser.fields(raw, most_headers)
    parser.owed = True
    close = is_http_1_0 or (b"connection" in headers and _closes(headers))
    if b"transfer-encoding" in headers:
        if is_http_1_0 or headers[b"transfer-encoding"].lower() != b"chunked":
            raise ProtocolError(Violation.HEAD_MALFORMED, raw)
        return ResponseHead(parser.status(), headers, None, True, close)
    if b"content-length" in headers:
        return ResponseHead(parser.status(), headers, _length(headers, raw), False, close)
    return ResponseHead(parser.status(), headers, None, False, True)
