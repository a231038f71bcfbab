"""Reads data responses: whether the body is JSON, its rsp_code, and the fault when the code is wrong (규격 첨부1).

`docs/operate/statistics.md` describes how each case counts.
"""

import codecs
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from relay.domain.api import SUCCESS, SUCCESS_CODES
from relay.policy.response.completeness import MAX_INFLATED_BYTES, JsonEndDetector

HEAD_BYTES: Final = 512
"""The last bytes of a large body that are searched for its rsp_code, and the first ones of a compressed body."""

_NAME: Final = b'"rsp_code"'
_RSP_CODE: Final = re.compile(rb'"rsp_code"\s*:\s*(?:"([0-9]{5})"|([1-9][0-9]{4})(?![0-9.eE]))')
"""A member with a code; a JSON number has no zeros at its beginning."""
_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LIST_END: Final = re.compile(rb'[}\[]\][^"\\{}]*(?:"[^"\\]*"[^"\\{}]*)*\}')
"""The end of an object from its last list on, without backslashes."""
_BEGINNING: Final = b'{"rsp_code":"'
_SUCCESS_BEGINNING: Final = b'{"rsp_code":"00000"'
_JSON_TYPE: Final = b"application/json; charset=UTF-8"
_BOM: Final = codecs.BOM_UTF8
TEXT_BYTES: Final = 2048
"""This many bytes of a large response are checked for UTF-8, the first that are not only ASCII."""
_CODINGS: Final = frozenset({b"gzip", b"x-gzip", b"deflate"})
_GZIP_OR_ZLIB: Final = 47
_OK: Final = 200
_decode_utf8: Final = codecs.utf_8_decode

NO_CODE: Final = "answer_without_code"
"""Reason of a response without rsp_code; a streamed response may have it in its last part."""
CHARSET: Final = "answer_charset"
"""Reason of a response that is not UTF-8."""


def is_plain_success(status: int, headers: Mapping[bytes, bytes], body: bytes, tran_id: bytes) -> bool:
    """Whether a complete response is the usual one: a success of this call with rsp_code at its beginning.

    Such a response passes all single checks: `find_flaw`, `is_complete`, `is_json` and `judge_rsp_code`.
    PERF: 1.5 us; the single checks cost 5 us more.
    """
    get = headers.get
    return (
        status == _OK
        and body[:19] == _SUCCESS_BEGINNING
        and body[-1:] == b"}"
        and get(b"x-api-tran-id") == tran_id
        and get(b"content-type") == _JSON_TYPE
        and b"content-length" in headers
        and b"content-encoding" not in headers
        and is_closed(body)
        and is_utf8(body)
    )


def find_rsp_code(body: bytes) -> str:
    """Returns the rsp_code of a body or of its beginning, "" when there is none.

    It is a member of the outermost object: an operator finds no code in `{"data":{"rsp_code":"00000"}}`.
    PERF: nearly all bodies begin with it; the search costs 2 us more, and 4 us for each KB before the code.
    """
    if body[:13] == _BEGINNING and body[13:18].isdigit() and body[18:19] == b'"':
        return body[13:18].decode()
    outermost, start = JsonEndDetector(), 0
    for at, code in _iter_codes(body):
        outermost.feed(body[start:at])
        start = at
        if outermost.is_outermost:
            return code if body.removeprefix(_BOM).lstrip()[:1] == b"{" else ""
    return ""


def find_last_rsp_code(tail: bytes) -> str:
    """Returns the rsp_code in the last bytes of a body, "" when there is none in its outermost object."""
    for at, code in _iter_codes(tail):
        rest = _STRINGS.sub(b"", tail[at:])
        is_outermost = rest.count(b"}") - rest.count(b"{") == 1 and rest.count(b"]") == rest.count(b"[")
        if is_outermost and b'"' not in rest and tail[at - 1 : at] != b"\\":
            return code
    return ""


def _iter_codes(body: bytes) -> Iterator[tuple[int, str]]:
    """Yields the offset and the code of each member that looks like a code."""
    at = body.find(_NAME)
    while at >= 0:
        match = _RSP_CODE.match(body, at)
        if match is not None:
            yield at, (match[1] or match[2]).decode()
        at = body.find(_NAME, at + len(_NAME))


def is_encoded(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body has a content coding."""
    return headers.get(b"content-encoding", b"identity").lower() != b"identity"


def is_readable(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the relay can decode the body: it has no content coding, or a known one."""
    return headers.get(b"content-encoding", b"identity").lower() in _CODINGS or not is_encoded(headers)


def is_json(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a complete body can be JSON. Objects are checked only at their first and last byte and their brackets.

    A body with an unknown content coding is assumed to be JSON; a compressed one must be complete, too. PERF: 0.5 us.
    """
    if is_encoded(headers):
        if not is_readable(headers):
            return True
        text = _decompress(body)
        return text is not None and is_json({}, text)
    if body[:1] == b"{" and body[-1:] == b"}":
        return is_closed(body)
    text = body.removeprefix(_BOM).strip(b" \t\r\n")
    if text[:1] == b"{":
        return text[-1:] == b"}" and is_closed(text)
    try:
        json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def is_closed(text: bytes) -> bool:
    """Whether all brackets of an object are closed. A page that is cut after a row ends with its brace, too.

    PERF: 0.4 us without lists, and with one list whose end is followed by whole members and the last brace. Others, and
    brackets in strings, need the exact check: 2 us for each KB.
    """
    last, end = text.rfind(b"["), text.rfind(b"]")
    if last < 0 and end < 0:
        is_usual = text.endswith(b'"}') and text.find(b"}") == len(text) - 1 and text.rfind(b"{") == 0
    else:
        is_usual = last < end and text.find(b"[") == last and _LIST_END.fullmatch(text, end - 1) is not None
    if is_usual:
        return True
    detector = JsonEndDetector()
    detector.feed(text)
    return detector.is_complete


def begins_as_json(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether the beginning of a large body is that of a JSON object or array."""
    return body[:1] == b"{" or is_encoded(headers) or body.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] in {b"{", b"["}


def judge_rsp_code(status: int, headers: Mapping[bytes, bytes], body: bytes, known: frozenset[str]) -> tuple[str, str]:
    """Returns rsp_code of a whole response for the record and the name of its fault, "" for none.

    `known` are the codes of the standard. A body that cannot be decoded here has no code.
    """
    if is_encoded(headers):
        text = _decompress(body) if is_readable(headers) else None
        if text is None:
            return "", NO_CODE
        body = text
    return judge_code(status, find_rsp_code(body), known, is_text=is_utf8(body))


def judge_beginning(status: int, headers: Mapping[bytes, bytes], body: bytes, known: frozenset[str]) -> tuple[str, str]:
    """Returns rsp_code and fault of a large response as its beginning shows them; its end may correct them."""
    if is_encoded(headers):
        body = _decompress_beginning(body) if is_readable(headers) else b""
    return judge_code(status, find_rsp_code(body), known, is_text=_begins_as_utf8(select_text(body)))


def judge_code(status: int, code: str, known: frozenset[str], *, is_text: bool) -> tuple[str, str]:
    """Returns a found code, "" for none, and the name of its fault; `is_text` is whether the body is UTF-8."""
    if code == SUCCESS and status == _OK and is_text:
        return code, ""
    if not code:
        return "", NO_CODE
    if not is_text:
        return "", CHARSET
    if code not in known:
        return code, "code_unknown"
    return code, "code_contradicts_status" if code in SUCCESS_CODES and status != _OK else ""


def is_utf8(body: bytes) -> bool:
    """Whether a whole body is UTF-8: of a large one, the first TEXT_BYTES that are not only ASCII.

    A body in another charset fails at its first words. PERF: 0.5 us for each KB of Korean text.
    """
    size = len(body)
    if size <= TEXT_BYTES:
        return _begins_as_utf8(body, is_whole=True)
    if body.isascii():
        return True
    part = select_text(body)
    return _begins_as_utf8(part, is_whole=body.endswith(part))


def select_text(body: bytes) -> bytes:
    """Returns the first TEXT_BYTES of a body that are not only ASCII, b"" if there are none."""
    for start in range(0, len(body), TEXT_BYTES):
        part = body[start : start + TEXT_BYTES]
        if not part.isascii():
            return part
    return b""


def _begins_as_utf8(body: bytes, *, is_whole: bool = False) -> bool:
    """Whether a body is UTF-8; its last character may be cut unless it is whole."""
    try:
        _decode_utf8(body, "strict", is_whole)
    except UnicodeDecodeError:
        return False
    return True


def _decompress(body: bytes) -> bytes | None:
    """Returns the text of a whole gzip or zlib body, None for one that is broken, cut or too large. PERF: 2 us a KB."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        text = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error:
        return None
    return text if inflater.eof and not inflater.unused_data else None


def _decompress_beginning(body: bytes) -> bytes:
    """Returns the beginning of a gzip or zlib body, b"" if it is broken. PERF: 10 us."""
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, HEAD_BYTES)
    except zlib.error:
        return b""
