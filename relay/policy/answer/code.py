"""What a data answer says of itself: whether it is JSON, its rsp_code, and what is wrong with that (규격 첨부1).

`docs/operate/statistics.md` tells how each case counts.
"""

import codecs
import json
import re
import zlib
from collections.abc import Mapping
from typing import Final

HEAD_BYTES: Final = 512
"""Nearly every answer has its rsp_code within so many bytes, if not at its very begin."""

_RSP_CODE: Final = re.compile(rb'"rsp_code"\s*:\s*(?:"([0-9]{5})"|([0-9]{5})(?![0-9.eE]))')
_FIRST: Final = b'{"rsp_code":"'
_SUCCESS_FIRST: Final = b'{"rsp_code":"00000"'
_JSON_TYPE: Final = b"application/json; charset=UTF-8"
_BOM: Final = codecs.BOM_UTF8
_TEXT_BYTES: Final = 64
"""So many bytes of an answer are held against UTF-8; `rsp_msg` begins there."""
_GZIP_OR_ZLIB: Final = 47
_SUCCESSES: Final = frozenset({"00000", "00001"})
_OK: Final = 200

SUCCESS: Final = "00000"

NO_CODE: Final = "answer_without_code"
"""The reason of an answer whose rsp_code is not there; one that comes in parts may have it in its last."""


def is_plain_success(status: int, headers: Mapping[bytes, bytes], body: bytes, tran_id: bytes) -> bool:
    """Whether a whole answer is what nearly every answer is: the success of its call, told at its very begin.

    What passes here passes each check that stands for one question: `flaw_of`, `is_complete`, `is_json`, `judge_code`.
    PERF: 1 us; those checks cost 5 us.
    """
    get = headers.get
    return (
        status == _OK
        and body[:19] == _SUCCESS_FIRST
        and body[-1:] == b"}"
        and get(b"x-api-tran-id") == tran_id
        and get(b"content-type") == _JSON_TYPE
        and b"content-length" in headers
        and b"content-encoding" not in headers
        and _is_utf8(body)
    )


def code_in(body: bytes) -> str:
    """rsp_code of a body, the first one that stands in it; "" when there is none.

    PERF: nearly every body begins with it; the search costs 1 us more, to the end of 64 KB 30 us.
    """
    if body[:13] == _FIRST and body[13:18].isdigit() and body[18:19] == b'"':
        return body[13:18].decode()
    match = _RSP_CODE.search(body)
    return (match[1] or match[2]).decode() if match else ""


def is_coded(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body is not the plain text of its JSON."""
    return headers.get(b"content-encoding", b"identity").lower() != b"identity"


def is_json(headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether a whole body can be JSON: an object from its first byte to its last, or some other JSON value.

    What stands between is not parsed. A coded body gets the benefit of the doubt. PERF: 0.2 us.
    """
    if (body[:1] == b"{" and body[-1:] == b"}") or is_coded(headers):
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
    """Whether a large body begins as a JSON object or array does."""
    return body[:1] == b"{" or is_coded(headers) or body.removeprefix(_BOM).lstrip(b" \t\r\n")[:1] in {b"{", b"["}


def ends_as_json(headers: Mapping[bytes, bytes], tail: bytes) -> bool:
    """Whether the last bytes of a large body can be the end of a JSON object or array."""
    return is_coded(headers) or tail.rstrip(b" \t\r\n")[-1:] in {b"}", b"]"}


def judge_code(status: int, headers: Mapping[bytes, bytes], body: bytes, known: frozenset[str]) -> tuple[str, str]:
    """rsp_code of an answer for the record, and the name of the fault that keeps it from being a success, or "".

    `known` are the codes of the standard. A body in a coding that is not opened here has no code and no fault.
    """
    if is_coded(headers):
        opened = _opened(body)
        if opened is None:
            return "", ""
        body = opened
    code = code_in(body)
    if code == SUCCESS and status == _OK and _is_utf8(body):
        return code, ""
    if not code:
        return "", NO_CODE
    if not _is_utf8(body):
        return "", "answer_charset"
    if code not in known:
        return code, "code_unknown"
    return code, "code_contradicts_status" if code in _SUCCESSES and status != _OK else ""


def _is_utf8(body: bytes) -> bool:
    """Whether the first bytes are text in UTF-8. PERF: 0.3 us."""
    try:
        codecs.utf_8_decode(body[:_TEXT_BYTES], "strict", False)
    except UnicodeDecodeError:
        return False
    return True


def _opened(body: bytes) -> bytes | None:
    """The begin of a body in gzip or zlib; None when its rsp_code cannot be seen there. PERF: 10 us."""
    try:
        inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
        opened = inflater.decompress(body, HEAD_BYTES)
    except zlib.error:
        return None
    return opened if inflater.eof or _RSP_CODE.search(opened) else None
