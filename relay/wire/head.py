"""Heads of HTTP/1.1 messages: read strictly by llhttp (through httptools), refused by default, written from parts.

This is the narrow seam behind which the parser sits: a whole raw head goes in, a parsed head or `Malformed` comes out.
Nothing outside `wire/` knows which parser it is.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

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
"""Fields that may stand once only: two readers could believe two different lines (RFC 9110 5.3, 9112 11.2)."""

# RFC 3986 narrowed: nothing percent-encoded in the path, no `;` anywhere, so what is matched is what is forwarded.
_TARGET: Final = re.compile(rb"(/[A-Za-z0-9._~/-]*)(?:\?([A-Za-z0-9._~!$'()*+,:@/?&=%-]*))?")
_PERCENT: Final = re.compile(rb"[^%]*(?:%(?!00)[0-9A-Fa-f]{2}[^%]*)*")
_METHODS: Final = {b"GET /": 4, b"POST ": 5}
_VERSION: Final = b" HTTP/1.1"
_OTHER_METHOD: Final = re.compile(rb"[A-Z]{3,20} /[!-~]* HTTP/1\.1\r\n")


class Wrong(StrEnum):
    """What a peer did wrong on the wire."""

    HEAD_MALFORMED = "head_malformed"
    HEAD_TOO_LARGE = "head_too_large"
    HEAD_TOO_SLOW = "head_too_slow"
    TARGET_MALFORMED = "target_malformed"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_MALFORMED = "body_malformed"


class Malformed(Exception):
    """A message that is not taken: `wrong` says why, `raw` is what there is of the head."""

    def __init__(self, wrong: Wrong, raw: bytes = b"") -> None:
        super().__init__(wrong.value)
        self.wrong = wrong
        self.raw = raw


@dataclass(slots=True)
class RequestHead:
    """A request's head. `target` is as received; `path` and `query` are its parts; header names are lower case."""

    method: str
    target: bytes
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    length: int
    chunked: bool
    close: bool


@dataclass(slots=True)
class AnswerHead:
    """An answer's head. `length` is None when the body is chunked or ends with the connection."""

    status: int
    headers: dict[bytes, bytes]
    length: int | None
    chunked: bool
    close: bool


class _Sink:
    """What httptools reports to; its slots hold C functions, so that no Python frame is made for each header."""

    __slots__ = ("on_header",)


def _fields(parser_type: type, raw: bytes, most: int) -> tuple[dict[bytes, bytes], Any]:
    """Header fields of one whole head by lower-case name.

    PERF: dict.__setitem__ as the callback costs 1.1 us for eight fields, a Python method 2.3 us.
    """
    exact: dict[bytes, bytes] = {}
    sink = _Sink()
    sink.on_header = exact.__setitem__  # type: ignore[attr-defined]
    parser = parser_type(sink)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserError as error:
        raise Malformed(Wrong.HEAD_MALFORMED, raw) from error
    except httptools.HttpParserUpgrade as error:
        raise Malformed(Wrong.HEAD_MALFORMED, raw) from error
    headers = {name.lower(): value for name, value in exact.items()}
    lines = raw.count(b"\r\n") - 2
    if lines > most:
        raise Malformed(Wrong.HEAD_TOO_LARGE, raw)
    if len(headers) != lines:
        _refuse_doubles(raw)
    if b"_" in b"".join(headers):
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    return headers, parser


def _refuse_doubles(raw: bytes) -> None:
    names = [line.split(b":", 1)[0].lower() for line in raw[: -len(HEAD_END)].split(b"\r\n")[1:]]
    if any(names.count(name) > 1 for name in SINGLE):
        raise Malformed(Wrong.HEAD_MALFORMED, raw)


def request_head(raw: bytes, most_headers: int) -> RequestHead:
    """Read one whole request head, `raw` ending in the empty line.

    Raises Malformed for everything that is not plain HTTP/1.1, GET or POST, origin-form, framed in one way only.
    """
    skip = _METHODS.get(raw[:5])
    if skip is None:
        raise Malformed(Wrong.METHOD_NOT_ALLOWED if _OTHER_METHOD.match(raw) else Wrong.HEAD_MALFORMED, raw)
    line_end = raw.index(b"\r\n")
    if raw[line_end - 9 : line_end] != _VERSION:
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    headers, _ = _fields(httptools.HttpRequestParser, raw, most_headers)
    target = raw[skip : line_end - 9]
    path, query = _target(target, raw)
    if not headers.get(b"host"):
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    length = _length(headers, raw)
    method = "GET" if skip == _METHODS[b"GET /"] else "POST"
    if method == "GET" and (length or coding is not None):  # a body that one reader skips is the next one's request
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    return RequestHead(
        method,
        target,
        path,
        query,
        headers,
        length,
        coding is not None,
        _closes(headers),
    )


def _target(target: bytes, raw: bytes) -> tuple[bytes, bytes]:
    match = _TARGET.fullmatch(target)
    if match is None:
        raise Malformed(Wrong.TARGET_MALFORMED, raw)
    path, query = match.groups(b"")
    if b"//" in path or b"/." in path or (b"%" in query and _PERCENT.fullmatch(query) is None):
        raise Malformed(Wrong.TARGET_MALFORMED, raw)
    return path, query


def _length(headers: dict[bytes, bytes], raw: bytes) -> int:
    text = headers.get(b"content-length")
    if text is None:
        return 0
    if not text.isdigit() or len(text) > 15:  # noqa: PLR2004 - more digits than any body has bytes
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    return int(text)


def _closes(headers: dict[bytes, bytes]) -> bool:
    connection = headers.get(b"connection")
    return connection is not None and b"close" in connection.lower()


def answer_head(raw: bytes, most_headers: int) -> AnswerHead:
    """Read one whole answer head, `raw` ending in the empty line.

    Raises Malformed for all but HTTP/1.1 and the HTTP/1.0 of small servers, which ends with its connection and knows
    no transfer coding.
    """
    old = raw[:9] == b"HTTP/1.0 "
    if raw[:9] != b"HTTP/1.1 " and not old:
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    headers, parser = _fields(httptools.HttpResponseParser, raw, most_headers)
    if b" \r\n" in raw or b"\t\r\n" in raw:  # blanks behind a value are none of it (RFC 9112 5.1); llhttp leaves them
        headers = {name: value.strip(b" \t") for name, value in headers.items()}
    coding = headers.get(b"transfer-encoding")
    if coding is not None and (old or coding.lower() != b"chunked"):
        raise Malformed(Wrong.HEAD_MALFORMED, raw)
    known = b"content-length" in headers
    return AnswerHead(
        parser.get_status_code(),
        headers,
        _length(headers, raw) if known else None,
        coding is not None,
        old or _closes(headers) or not (known or coding),
    )
