"""Heads as llhttp and the rules of the relay take them: the oracle of the relay's own scanners.

The rules beside llhttp are those of the relay when llhttp was its parser, with two differences:

- A bare LF is HEAD_MALFORMED. llhttp takes one behind a target, for HTTP/0.9, so it was TARGET_MALFORMED.
- Of a repeated field the last line counts. The spelling that came last for the first time counted.
"""

import re
from collections.abc import Callable

import httptools

from relay.wire.head import ProtocolError, Violation
from relay.wire.head_scanner import MAX_LENGTH_DIGITS, SINGLE

RequestFields = tuple[str, bytes, bytes, bytes, dict[bytes, bytes], int, bool, bool]
ResponseFields = tuple[int, dict[bytes, bytes], int | None, bool, bool]

_TARGET = re.compile(rb"(/[A-Za-z0-9._~/-]*)(?:\?([A-Za-z0-9._~!$'()*+,:@/?&=%-]*))?")
_PERCENT = re.compile(rb"[^%]*(?:%(?!00)[0-9A-Fa-f]{2}[^%]*)*")
_OTHER_METHOD = re.compile(rb"[A-Z]{3,20} /[!-~]* HTTP/1\.1\r\n")


class _Fields:
    """Collects the header fields of one head by lower-case name."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a field."""
        self.headers[name.lower()] = value.strip(b" \t")


def parse_request(raw: bytes, max_headers: int) -> RequestFields:
    """Returns method, target, path, query, headers, length, chunked and close. Raises ProtocolError."""
    start = {b"GET /": 4, b"POST ": 5}.get(raw[:5])
    if start is None:
        raise ProtocolError(Violation.METHOD_NOT_ALLOWED if _OTHER_METHOD.match(raw) else Violation.HEAD_MALFORMED, raw)
    line_end = raw.find(b"\r")
    if raw[line_end - 9 : line_end] != b" HTTP/1.1" or b"\n" in raw[:line_end]:
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    headers, _ = _feed(httptools.HttpRequestParser, raw, max_headers)
    target = raw[start : line_end - 9]
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ProtocolError(Violation.TARGET_MALFORMED, raw)
    path, query = match.groups(b"")
    if b"//" in path or b"/." in path or not _PERCENT.fullmatch(query):
        raise ProtocolError(Violation.TARGET_MALFORMED, raw)
    if not headers.get(b"host"):
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    length, chunked = _length(headers, raw) or 0, coding is not None
    if start == len(b"GET ") and (length or chunked):
        raise ProtocolError(Violation.BODY_OF_A_GET, raw)
    return "GET" if start == len(b"GET ") else "POST", target, path, query, headers, length, chunked, _closes(headers)


def parse_response(raw: bytes, max_headers: int) -> ResponseFields:
    """Returns status, headers, length, chunked and close. Raises ProtocolError."""
    is_http_1_0 = raw[:9] == b"HTTP/1.0 "
    if raw[:9] != b"HTTP/1.1 " and not is_http_1_0:
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    headers, status = _feed(httptools.HttpResponseParser, raw, max_headers)
    close = is_http_1_0 or _closes(headers)
    if b"transfer-encoding" in headers:
        if is_http_1_0 or headers[b"transfer-encoding"].lower() != b"chunked":
            raise ProtocolError(Violation.HEAD_MALFORMED, raw)
        return status, headers, None, True, close
    length = _length(headers, raw)
    return status, headers, length, False, close or length is None


def _feed(kind: Callable[[_Fields], object], raw: bytes, max_headers: int) -> tuple[dict[bytes, bytes], int]:
    fields = _Fields()
    parser = kind(fields)
    try:
        parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise ProtocolError(Violation.HEAD_MALFORMED, raw) from error
    headers = fields.headers
    if b"_" in b"".join(headers):
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    lines = raw.count(b"\r\n") - 2
    if lines > max_headers:
        raise ProtocolError(Violation.HEAD_TOO_LARGE, raw, max_headers=max_headers)
    if len(headers) != lines:
        names = [line.split(b":", 1)[0].lower() for line in raw.split(b"\r\n")[1:-2]]
        if any(names.count(name) > 1 for name in SINGLE):
            raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    return headers, parser.get_status_code() if kind is httptools.HttpResponseParser else 0


def _length(headers: dict[bytes, bytes], raw: bytes) -> int | None:
    text = headers.get(b"content-length")
    if text is None:
        return None
    if not text.isdigit() or len(text) > MAX_LENGTH_DIGITS:
        raise ProtocolError(Violation.HEAD_MALFORMED, raw)
    return int(text)


def _closes(headers: dict[bytes, bytes]) -> bool:
    return b"close" in headers.get(b"connection", b"").lower()
