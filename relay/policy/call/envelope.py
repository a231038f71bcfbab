"""Checks headers of calls; builds responses to operators from parts, by allow-list, never from received bytes."""

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ids import API_TYPE_FORM, TRAN_ID_FORM, is_tran_id

JSON_TYPE: Final = b"application/json; charset=UTF-8"

_JSON: Final = re.compile(rb"application/json(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)
_JSON_FORM: Final = f"Content-Type ({JSON_TYPE.decode()})"
_ECHOED: Final = re.compile(rb"[!-~]{1,64}")
_TRAN_ID_HEADER: Final = re.compile(rb"\r\nx-api-tran-id:[ \t]*([!-~]{1,64})[ \t]*\r\n", re.IGNORECASE)
_REQUEST_LINE: Final = re.compile(rb"([A-Z]{3,20}) (/[^ ?\r\n]*)")
_MAX_MESSAGE_BYTES: Final = 450
_FORWARDED_HEADERS: Final = (b"x-api-type", b"accept-encoding")
"""Optional headers of operators that `InstitutionRequest.write` passes on; both name the same."""

MAX_TARGET_BYTES: Final = 4096
"""A request target of this many bytes is accepted by all servers."""

_MAX_HEADER_BYTES: Final = 1024

_RETURNED_HEADERS: Final = (b"allow", b"content-encoding", b"retry-after")
"""Response headers of institutions that are passed to operators, beside those written here."""

RESPONSE_STATUSES: Final = frozenset({200, 400, 401, 403, 404, 405, 429, 500})
"""Statuses of data APIs in the standard (첨부1); an institution's response with another status is invalid."""


def build_head_prefixes(statuses: Iterable[int]) -> dict[int, bytes]:
    """Returns, by status, the beginning of a response head up to the value of x-api-tran-id."""
    return {
        status: b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nx-api-tran-id: "
        % (status, HTTPStatus(status).phrase.encode(), JSON_TYPE)
        for status in statuses
    }


_HEAD_PREFIXES: Final = build_head_prefixes(RESPONSE_STATUSES)


def echo_tran_id(tran_id: bytes | None) -> bytes:
    """Returns the received `x-api-tran-id` for the response if it is printable and short, else b""."""
    return tran_id if tran_id is not None and _ECHOED.fullmatch(tran_id) else b""


def find_tran_id(raw: bytes) -> bytes:
    """Returns `x-api-tran-id` of a malformed head, b"" when it is not found."""
    match = _TRAN_ID_HEADER.search(raw)
    return match[1] if match else b""


def find_request_line(raw: bytes) -> tuple[bytes, bytes]:
    """Returns method and path of a malformed head, (b"", b"") when they are not found."""
    match = _REQUEST_LINE.match(raw)
    return (match[1], match[2]) if match else (b"", b"")


def parse_tran_id(tran_id: bytes | None) -> str:
    """Returns 거래고유번호 for the record of a refused call, "" when it is malformed."""
    text = (tran_id or b"").decode("latin-1")
    return text if is_tran_id(text) else ""


def require_tran_id(tran_id: bytes | None) -> str:
    """Returns 거래고유번호 as text. Raises Refusal (40002) when it is missing or malformed (첨부14)."""
    if tran_id is None:
        raise Refusal(FAULTS["header_missing"], TRAN_ID_FORM)
    text = tran_id.decode("latin-1")
    if not is_tran_id(text):
        raise Refusal(FAULTS["header_malformed"], TRAN_ID_FORM)
    return text


def check_json_type(content_type: bytes | None) -> None:
    """Checks the Content-Type of a POST. Raises Refusal (40002) unless it is JSON in UTF-8 (규격 1.1)."""
    if content_type == JSON_TYPE:
        return
    if content_type is None:
        raise Refusal(FAULTS["header_missing"], _JSON_FORM)
    if _JSON.fullmatch(content_type) is None:
        raise Refusal(FAULTS["header_malformed"], _JSON_FORM)


def check_sizes(target: bytes, headers: Mapping[bytes, bytes]) -> None:
    """Checks that target and forwarded headers are accepted by all servers. Raises Refusal (40001, 40002).

    A target may have 4 KB without the value of `next_page`, which the institution itself issued. Forwarded headers have
    at most 100 characters in the standard; `Accept-Encoding` may have 1 KB.
    """
    if len(target) > MAX_TARGET_BYTES and len(target) - len(_get_next_page(target)) > MAX_TARGET_BYTES:
        raise Refusal(FAULTS["parameter_malformed"], f"URI (next_page를 제외하고 {MAX_TARGET_BYTES}바이트까지)")
    for name in _FORWARDED_HEADERS:
        if name in headers and len(headers[name]) > _MAX_HEADER_BYTES:
            allowed = API_TYPE_FORM if name == b"x-api-type" else f"{name.decode()} ({_MAX_HEADER_BYTES}바이트까지)"
            raise Refusal(FAULTS["header_malformed"], allowed)


def _get_next_page(target: bytes) -> bytes:
    """Returns the undecoded value of `next_page` in a target, b"" when it is absent."""
    for pair in target.partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        if unquote_to_bytes(name) == b"next_page":
            return value
    return b""


def find_flaw(status: int, headers: Mapping[bytes, bytes], tran_id: bytes) -> str:
    """Returns what is wrong with an institution's response in one word, "" when it is valid.

    `status`: not in the standard. `tran_id`: the response belongs to another call, so it holds another customer's data.
    `type`, `charset`: not JSON in UTF-8. A response without Content-Type is accepted.
    """
    if status not in RESPONSE_STATUSES:
        return "status"
    if headers.get(b"x-api-tran-id", tran_id) != tran_id:
        return "tran_id"
    content_type = headers.get(b"content-type", JSON_TYPE)
    if content_type == JSON_TYPE or _JSON.fullmatch(content_type) is not None:
        return ""
    return "charset" if content_type.lower().startswith(b"application/json;") else "type"


def build_response_head(
    status: int,
    tran_id: bytes,
    headers: Mapping[bytes, bytes],
    length: int | None,
    *,
    close: bool,
    heads: Mapping[int, bytes] = _HEAD_PREFIXES,
    allowed: tuple[bytes, ...] = _RETURNED_HEADERS,
) -> bytes:
    """Returns the head of a response to an operator. `length` None means a chunked body.

    `heads` are the head prefixes by status and `allowed` the headers that pass; the defaults are those of data APIs.
    """
    parts = [heads[status], tran_id]
    for name in allowed:
        if name in headers:
            parts += (b"\r\n", name, b": ", headers[name])
    parts.append(b"\r\nTransfer-Encoding: chunked" if length is None else b"\r\nContent-Length: %d" % length)
    parts.append(b"\r\nConnection: close\r\n\r\n" if close else b"\r\n\r\n")
    return b"".join(parts)


def build_refusal(error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
    """Returns the complete response of a refusal: rsp_code, rsp_msg naming the field, the echoed tran_id."""
    fault = error.fault
    headers: dict[bytes, bytes] = {}
    if error.retry_after or fault.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers[b"retry-after"] = str(max(1, -int(-error.retry_after // 1))).encode()
    if fault.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers[b"allow"] = error.allow.encode()  # RFC 9110 15.5.6
    body = build_refusal_body(fault, error.detail)
    return build_response_head(fault.status, tran_id, headers, len(body), close=close) + body


def build_refusal_body(fault: Fault, detail: str = "") -> bytes:
    """Returns the JSON of `build_refusal_fields`."""
    return json.dumps(build_refusal_fields(fault, detail), ensure_ascii=False, separators=(",", ":")).encode()


def build_refusal_fields(fault: Fault, detail: str = "") -> dict[str, str]:
    """Returns rsp_code and rsp_msg of a fault; `detail` names the field or limit concerned."""
    return {"rsp_code": fault.rsp_code, "rsp_msg": format_message(fault, detail)}


def format_message(fault: Fault, detail: str = "") -> str:
    """Returns the text of a fault for `rsp_msg` or OAuth's `error_description`; both are AH(450)."""
    message = f"{fault.words}: {detail}" if detail else fault.words
    return message.encode()[:_MAX_MESSAGE_BYTES].decode(errors="ignore")
