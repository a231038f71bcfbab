"""Reads data responses: whether the body is JSON, its rsp_code, and the fault when the code is wrong (규격 첨부1).

`docs/operate/statistics.md` describes how each case counts.
"""

import codecs
import json
import re
import zlib
from collections.abc import Mapping
from typing import Final

from relay.domain.api import SUCCESS, SUCCESS_CODES

HEAD_BYTES: Final = 512
"""Nearly all responses have their rsp_code within this many bytes."""

_RSP_CODE: Final = re.compile(rb'"rsp_code"\s*:\s*(?:"([0-9]{5})"|([0-9]{5})(?![0-9.eE]))')
_BEGINNING: Final = b'{"rsp_code":"'
_SUCCESS_BEGINNING: Final = b'{"rsp_code":"00000"'
_JSON_TYPE: Final = b"application/json; charset=UTF-8"
_BOM: Final = codecs.BOM_UTF8
_CHECKED_TEXT_BYTES: Final = 64
"""This many bytes of a response are checked for UTF-8; they include the beginning of `rsp_msg`."""
_GZIP_OR_ZLIB: Final = 47
_OK: Final = 200
_decode_utf8: Final = codecs.utf_8_decode

NO_CODE: Final = "answer_without_code"
"""Reason of a response without rsp_code; a streamed response may have it in its last part."""


def is_plain_success(status: int, headers: Mapping[bytes, bytes], body: bytes, tran_id: bytes) -> bool:
    """Whether a complete response is the usual one: a success of this call with rsp_code at its beginning.

    Such a response passes all single checks: `find_flaw`, `is_complete`, `is_json` and `judge_rsp_code`.
    PERF: 1 us; the single checks cost 5 us.
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
        and _is_utf8(body)
    )


def find_rsp_code(body: bytes) -> str:
    """Returns the first rsp_code in a body, "" when there is none.

    PERF: nearly all bodies begin with it; the search costs 1 us more, and 30 us for 64 KB without a code.
    """
    if body[:13] == _BEGINNING and body[13:18].isdigit() and body[18:19] == b'"':
        return body[13:18].decode()
    match = _RSP_CODE.search(body)
    return (match[1] or match[2]).decode() if match else ""


def is_encoded(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body has a content coding."""
    return headers.get(b"content-encoding", b"identity").lower() != b"identity"


def is_json(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a complete body can be JSON. Objects are checked only at their first and last byte.

    A body with a content coding is assumed to be JSON. PERF: 0.2 us.
    """
    if (body[:1] == b"{" and body[-1:] == b"}") or is_encoded(headers):
        return True
    text = body.removeprefix(_BOM).strip(b" \t\r\n")
    if text[:1] == b"{":
        return text[-1:] == b"}"
    try:
        json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def begins_as_json(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether the beginning of a large body is that of a JSON object or array."""
    return body[:1] == b"{" or is_encoded(headers) or body.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] in {b"{", b"["}


def ends_as_json(headers: Mapping[bytes, bytes], tail: bytes) -> bool:
    """Whether the last bytes of a large body can end a JSON object or array."""
    return is_encoded(headers) or tail.rstrip(b" \t\r\n")[-1:] in {b"}", b"]"}


def judge_rsp_code(status: int, headers: Mapping[bytes, bytes], body: bytes, known: frozenset[str]) -> tuple[str, str]:
    """Returns rsp_code of a response for the record and the name of its fault, "" for none.

    `known` are the codes of the standard. A body that cannot be decompressed here has no code and no fault.
    """
    if is_encoded(headers):
        beginning = _decompress_beginning(body)
        if beginning is None:
            return "", ""
        body = beginning
    code = find_rsp_code(body)
    if code == SUCCESS and status == _OK and _is_utf8(body):
        return code, ""
    if not code:
        return "", NO_CODE
    if not _is_utf8(body):
        return "", "answer_charset"
    if code not in known:
        return code, "code_unknown"
    return code, "code_contradicts_status" if code in SUCCESS_CODES and status != _OK else ""


def _is_utf8(body: bytes) -> bool:
    """Whether the first bytes are UTF-8. PERF: 0.3 us."""
    try:
        _decode_utf8(body[:_CHECKED_TEXT_BYTES], "strict", False)
    except UnicodeDecodeError:
        return False
    return True


def _decompress_beginning(body: bytes) -> bytes | None:
    """Returns the beginning of a gzip or zlib body, None when it does not show the rsp_code. PERF: 10 us."""
    try:
        inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        beginning = inflater.decompress(body, HEAD_BYTES)
    except zlib.error:
        return None
    return beginning if inflater.eof or _RSP_CODE.search(beginning) else None
