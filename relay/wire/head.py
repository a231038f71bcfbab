"""Parses heads of HTTP/1.1 messages strictly. Raises ProtocolError for all others.

A head is scanned in one pass, by compiled code if it is installed. The readers of requests and responses parse bodies.
"""

import re
from enum import StrEnum
from typing import Final

from relay.wire.head_scanner import (
    MAX_LENGTH_DIGITS,
    SINGLE,
    asks_to_upgrade,
    has_duplicates,
    parse_target,
    split_fields,
    split_target,
)

try:
    from relay.wire._head_scanner import scan_request, scan_response
except ImportError:
    from relay.wire.head_scanner import scan_request, scan_response

__all__ = [
    "HEAD_END",
    "SINGLE",
    "ProtocolError",
    "RequestHead",
    "ResponseHead",
    "Violation",
    "parse_request_head",
    "parse_response_head",
    "split_target",
]

HEAD_END: Final = b"\r\n\r\n"

_METHODS: Final = {b"GET /": b"GET", b"POST ": b"POST"}
_OTHER_METHOD: Final = re.compile(rb"[A-Z]{3,20} /[!-~]* HTTP/1\.1\r\n")
_FIELDS: Final = re.compile(rb"(?:[!#$%&'*+\-.^`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n)*+\r\n")
# A request line: a path or a URL of printable characters, and any number of spaces around it.
_SERVER: Final = rb"[A-Za-z]++://(?![^/? ]*@@)[A-Za-z0-9\-_.!~*'()%;:&=+$,\[\]@]*+(?=[/? ])"
_PATH: Final = rb"""[!"$->@-~]*+(?:\?[!"$-~]*+)?(?:#[!-~]*+)?"""
_REQUEST_LINE: Final = re.compile(
    rb"(?:GET|POST) ++(?:%b(?:/%b|\?%b)?|[/*]%b) ++HTTP/1\.1\r\n" % (_SERVER, *[_PATH] * 3)
)
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (?!101)[0-9]{3}(?: [^\r\n]*+)?+\r\n")
_MAX_UINT64: Final = b"%d" % (2**64 - 1)


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

    `max_bytes` or `max_headers` is the limit that it exceeds; both are 0 if it exceeds none.
    """

    def __init__(self, violation: Violation, raw: bytes = b"", *, max_bytes: int = 0, max_headers: int = 0) -> None:
        super().__init__(violation.value)
        self.violation = violation
        self.raw = raw
        self.max_bytes = max_bytes
        self.max_headers = max_headers


class RequestHead:
    """The head of a request. `target` is as received; `path` and `query` are its parts; header names are lower case."""

    __slots__ = ("chunked", "close", "headers", "length", "method", "path", "query", "target")

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a head
        self,
        method: str,
        target: bytes,
        path: bytes,
        query: bytes,
        headers: dict[bytes, bytes],
        length: int,
        chunked: bool,
        close: bool,
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.headers = headers
        self.length = length
        self.chunked = chunked
        self.close = close


class ResponseHead:
    """The head of a response. `length` is None if the body is chunked or ends with the connection."""

    __slots__ = ("chunked", "close", "headers", "length", "status")

    def __init__(
        self, status: int, headers: dict[bytes, bytes], length: int | None, chunked: bool, close: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.chunked = chunked
        self.close = close


def parse_request_head(raw: bytes, max_headers: int) -> RequestHead:
    """Parses one whole request head, `raw` ending in its only empty line.

    Raises ProtocolError for everything but plain HTTP/1.1 with GET or POST, origin-form, and one kind of framing.
    """
    scanned = scan_request(raw, max_headers)
    if scanned is None:
        raise _explain_request(raw, max_headers)
    method, target, path, query, headers, length, chunked, close = scanned
    return RequestHead(method, target, path, query, headers, length, chunked, close)


def parse_response_head(raw: bytes, max_headers: int) -> ResponseHead:
    """Parses one whole response head, `raw` ending in its only empty line.

    Raises ProtocolError for everything but HTTP/1.1 and the HTTP/1.0 of small servers, whose responses end with the
    connection and have no transfer coding.
    """
    scanned = scan_response(raw, max_headers)
    if scanned is None:
        raise _explain_response(raw, max_headers)
    status, headers, length, chunked, close = scanned
    return ResponseHead(status, headers, length, chunked, close)


# What a refused head violates. Nothing below accepts a head: HEAD_MALFORMED is what remains. The violation selects the
# response, and with it the rsp_code. The verdicts are those of llhttp, the parser used before; tests compare them.


def _explain_request(raw: bytes, max_headers: int) -> ProtocolError:  # noqa: PLR0911 - one for each check
    """Returns the error of a refused request head: the first violation in the order of these checks."""
    method = _METHODS.get(raw[:5])
    if method is None:
        return ProtocolError(
            Violation.METHOD_NOT_ALLOWED if _OTHER_METHOD.match(raw) else Violation.HEAD_MALFORMED, raw
        )
    line = _REQUEST_LINE.match(raw)
    if line is None or _FIELDS.fullmatch(raw, line.end()) is None:
        return ProtocolError(Violation.HEAD_MALFORMED, raw)
    lines = raw.split(b"\r\n")[1:-2]
    fields = split_fields(lines)
    if _has_contradictory_framing(fields, is_request=True) or asks_to_upgrade(fields):
        return ProtocolError(Violation.HEAD_MALFORMED, raw)
    if len(lines) > max_headers:
        return ProtocolError(Violation.HEAD_TOO_LARGE, raw, max_headers=max_headers)
    if has_duplicates(fields):
        return ProtocolError(Violation.HEAD_MALFORMED, raw)
    try:
        parse_target(raw[len(method) + 1 : line.end() - len(b" HTTP/1.1\r\n")])
    except ValueError:
        return ProtocolError(Violation.TARGET_MALFORMED, raw)
    if method == b"GET" and _is_valid_without_body(dict(fields)):
        return ProtocolError(Violation.BODY_OF_A_GET, raw)
    return ProtocolError(Violation.HEAD_MALFORMED, raw)


def _explain_response(raw: bytes, max_headers: int) -> ProtocolError:
    """Returns the error of a refused response head."""
    line = _STATUS_LINE.match(raw)
    if line is None or _FIELDS.fullmatch(raw, line.end()) is None:
        return ProtocolError(Violation.HEAD_MALFORMED, raw)
    lines = raw[line.end() :].split(b"\r\n")[:-2]
    if len(lines) > max_headers and not _has_contradictory_framing(split_fields(lines), is_request=False):
        return ProtocolError(Violation.HEAD_TOO_LARGE, raw, max_headers=max_headers)
    return ProtocolError(Violation.HEAD_MALFORMED, raw)


def _is_valid_without_body(headers: dict[bytes, bytes]) -> bool:
    """Tells whether a GET would be accepted if it had no body."""
    is_chunked = headers.get(b"transfer-encoding", b"chunked").lower() == b"chunked"
    has_length = len(headers.get(b"content-length", b"").strip(b" \t")) <= MAX_LENGTH_DIGITS
    return bool(headers.get(b"host")) and is_chunked and has_length


def _has_contradictory_framing(fields: list[tuple[bytes, bytes]], *, is_request: bool) -> bool:
    """Tells whether the fields of framing contradict each other, line by line."""
    has_length = has_coding = is_chunked = False
    for name, value in fields:
        if name == b"content-length":
            digits = value.strip(b" \t")
            if has_length or has_coding or not digits.isdigit() or _is_too_large(digits.lstrip(b"0")):
                return True
            has_length = True
        elif name == b"transfer-encoding":
            codings = [coding.lstrip(b" \t").rstrip(b" ").lower() for coding in value.split(b",")]
            if has_length or not value or (is_request and (is_chunked or b"chunked" in codings[:-1])):
                return True
            has_coding, is_chunked = True, codings[-1] == b"chunked"
    return is_request and has_coding and not is_chunked


def _is_too_large(digits: bytes) -> bool:
    return (len(digits), digits) > (len(_MAX_UINT64), _MAX_UINT64)
