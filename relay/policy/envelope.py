"""What goes out, to providers and to operators: written from parts, by allow-list, never spliced from what came in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ids import TRAN_ID

JSON_TYPE: Final = b"application/json; charset=UTF-8"

_JSON: Final = re.compile(rb"application/json(?:\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)
_ECHO: Final = re.compile(rb"[!-~]{1,64}")
_SEEN_TRAN_ID: Final = re.compile(rb"\r\nx-api-tran-id:[ \t]*([!-~]{1,64})[ \t]*\r\n", re.IGNORECASE)
_RSP_CODE: Final = re.compile(rb'"rsp_code"\s*:\s*"?([0-9]{5})')
_MSG_MOST: Final = 450
_TO_OPERATOR: Final = (b"content-encoding", b"retry-after")

ANSWERABLE: Final = frozenset({200, 400, 401, 403, 404, 405, 429, 500})
"""Statuses the standard knows for data APIs (첨부1); anything else from a provider is no answer."""

_STATUS: Final = {
    status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() for status in sorted(ANSWERABLE)
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider's requests go: the base path before the target, and the Host line."""

    base_path: bytes
    host_line: bytes


def echo(tran_id: bytes | None) -> bytes:
    """`x-api-tran-id` as an answer may repeat it: what was sent when it is printable and short, else nothing."""
    return tran_id if tran_id is not None and _ECHO.fullmatch(tran_id) else b""


def tran_id_in(raw: bytes) -> bytes:
    """`x-api-tran-id` found in a head that could not be read."""
    match = _SEEN_TRAN_ID.search(raw)
    return match[1] if match else b""


def known_tran_id(tran_id: bytes | None) -> str:
    """거래고유번호 for the record of a refused call; "" when it is not of its form."""
    text = (tran_id or b"").decode("latin-1")
    return text if TRAN_ID.fullmatch(text) else ""


def valid_tran_id(tran_id: bytes | None) -> str:
    """거래고유번호 as text. Raises Refusal (40002) when it is missing or not of the form of 첨부14."""
    if tran_id is None:
        raise Refusal(FAULTS["header_missing"], "x-api-tran-id")
    text = tran_id.decode("latin-1")
    if TRAN_ID.fullmatch(text) is None:
        raise Refusal(FAULTS["header_malformed"], "x-api-tran-id")
    return text


def check_json_type(content_type: bytes | None) -> None:
    """Content-Type of a POST. Raises Refusal (40002) for all but JSON in UTF-8 (규격 1.1)."""
    if content_type == JSON_TYPE:
        return
    if content_type is None:
        raise Refusal(FAULTS["header_missing"], "Content-Type")
    if _JSON.fullmatch(content_type) is None:
        raise Refusal(FAULTS["header_malformed"], "Content-Type")


def is_json(content_type: bytes | None) -> bool:
    """Whether a provider's answer may be JSON; one that says nothing of its type gets the benefit of the doubt."""
    return content_type is None or content_type == JSON_TYPE or _JSON.fullmatch(content_type) is not None


def request(method: str, target: bytes, address: Address, lines: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A whole request to a provider: the same target that was matched, the header lines given, the body."""
    parts = [method.encode(), b" ", address.base_path, target, b" HTTP/1.1\r\n", address.host_line]
    for name, value in lines:
        parts += (name, b": ", value, b"\r\n")
    if method == "POST":
        parts += (b"Content-Type: ", JSON_TYPE, b"\r\nContent-Length: ", str(len(body)).encode(), b"\r\n")
    parts += (b"\r\n", body)
    return b"".join(parts)


def answer_head(
    status: int, tran_id: bytes, headers: Mapping[bytes, bytes], length: int | None, *, close: bool
) -> bytes:
    """The head of an answer to an operator. `length` None: the body follows in chunks."""
    parts = [_STATUS[status], b"Content-Type: ", JSON_TYPE, b"\r\nx-api-tran-id: ", tran_id, b"\r\n"]
    for name in _TO_OPERATOR:
        value = headers.get(name)
        if value is not None:
            parts += (name, b": ", value, b"\r\n")
    if length is None:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    else:
        parts += (b"Content-Length: ", str(length).encode(), b"\r\n")
    parts.append(b"Connection: close\r\n\r\n" if close else b"\r\n")
    return b"".join(parts)


def refusal(error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
    """A whole answer that refuses: rsp_code, rsp_msg with the field concerned, the echoed tran_id."""
    fault = error.fault
    headers: dict[bytes, bytes] = {}
    if error.retry_after or fault.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers[b"retry-after"] = str(max(1, -int(-error.retry_after // 1))).encode()
    body = refusal_body(fault, error.detail)
    return answer_head(fault.status, tran_id, headers, len(body), close=close) + body


def refusal_body(fault: Fault, detail: str = "") -> bytes:
    """`{"rsp_code": ..., "rsp_msg": ...}` of a fault; `detail` names what is concerned."""
    words = f"{fault.words}: {detail}" if detail else fault.words
    words = words.encode()[:_MSG_MOST].decode(errors="ignore")
    body = {"rsp_code": fault.rsp_code, "rsp_msg": words}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def rsp_code_in(body: bytes) -> str:
    """rsp_code of a provider's body, read from its first bytes; "" when it is not there (a coded body, say)."""
    match = _RSP_CODE.search(body, 0, 512)
    return match[1].decode() if match else ""
