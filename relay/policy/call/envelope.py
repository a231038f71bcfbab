"""What goes out, to providers and to operators: written from parts, by allow-list, never spliced from what came in."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import unquote_to_bytes, urlsplit

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.domain.ids import TRAN_ID, TRAN_ID_FORM

JSON_TYPE: Final = b"application/json; charset=UTF-8"

_JSON: Final = re.compile(rb"application/json(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)
_JSON_FORM: Final = f"Content-Type ({JSON_TYPE.decode()})"
_ECHO: Final = re.compile(rb"[!-~]{1,64}")
_SEEN_TRAN_ID: Final = re.compile(rb"\r\nx-api-tran-id:[ \t]*([!-~]{1,64})[ \t]*\r\n", re.IGNORECASE)
_SEEN_LINE: Final = re.compile(rb"([A-Z]{3,20}) (/[^ ?\r\n]*)")
_MSG_MOST: Final = 450
_TO_PROVIDER: Final = (b"x-api-type", b"accept-encoding")
"""Header lines of an operator's request that a provider may see, beside those written here."""

TARGET_MOST: Final = 4096
"""Bytes of a target that any server takes."""

_HEADER_MOST: Final = 1024

_TO_OPERATOR: Final = (b"allow", b"content-encoding", b"retry-after")
"""Header lines of a provider's answer that an operator may see, beside those written here."""

ANSWERABLE: Final = frozenset({200, 400, 401, 403, 404, 405, 429, 500})
"""Statuses the standard knows for data APIs (첨부1); anything else from a provider is no answer."""


def first_lines(statuses: Iterable[int]) -> dict[int, bytes]:
    """What every answer of these statuses begins with, up to the value of its x-api-tran-id."""
    return {
        status: b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nx-api-tran-id: "
        % (status, HTTPStatus(status).phrase.encode(), JSON_TYPE)
        for status in statuses
    }


_HEAD: Final = first_lines(ANSWERABLE)


@dataclass(frozen=True, slots=True)
class Address:
    """A provider's requests, ready but for the call: what stands before the target, and what stands behind it."""

    get: bytes
    post: bytes
    tail: bytes

    @classmethod
    def of(cls, base_url: str) -> Self:
        """The address a base URL of the settings names."""
        url = urlsplit(base_url)
        path = url.path.encode()
        host = url.netloc.encode()
        return cls(b"GET " + path, b"POST " + path, b" HTTP/1.1\r\nHost: " + host + b"\r\nx-api-tran-id: ")


@dataclass(slots=True)
class About:
    """Whom a call is about: the service that asks, the customer, and what the answer must not hold.

    `withheld` are fields that the institution is to leave out; `plain` says that the answer must come uncoded, because
    the relay leaves them out itself. PERF: made for each call; frozen it costs 0.6 us more.
    """

    client_id: str
    ci: bytes
    withheld: frozenset[str] = frozenset()
    plain: bool = False


def echo(tran_id: bytes | None) -> bytes:
    """`x-api-tran-id` as an answer may repeat it: what was sent when it is printable and short, else nothing."""
    return tran_id if tran_id is not None and _ECHO.fullmatch(tran_id) else b""


def tran_id_in(raw: bytes) -> bytes:
    """`x-api-tran-id` found in a head that could not be read."""
    match = _SEEN_TRAN_ID.search(raw)
    return match[1] if match else b""


def asked_in(raw: bytes) -> tuple[bytes, bytes]:
    """Method and path in a head that could not be read; empty when they are not to be seen."""
    match = _SEEN_LINE.match(raw)
    return (match[1], match[2]) if match else (b"", b"")


def known_tran_id(tran_id: bytes | None) -> str:
    """거래고유번호 for the record of a refused call; "" when it is not of its form."""
    text = (tran_id or b"").decode("latin-1")
    return text if TRAN_ID.fullmatch(text) else ""


def valid_tran_id(tran_id: bytes | None) -> str:
    """거래고유번호 as text. Raises Refusal (40002) when it is missing or not of the form of 첨부14."""
    if tran_id is None:
        raise Refusal(FAULTS["header_missing"], TRAN_ID_FORM)
    text = tran_id.decode("latin-1")
    if TRAN_ID.fullmatch(text) is None:
        raise Refusal(FAULTS["header_malformed"], TRAN_ID_FORM)
    return text


def check_json_type(content_type: bytes | None) -> None:
    """Content-Type of a POST. Raises Refusal (40002) for all but JSON in UTF-8 (규격 1.1)."""
    if content_type == JSON_TYPE:
        return
    if content_type is None:
        raise Refusal(FAULTS["header_missing"], _JSON_FORM)
    if _JSON.fullmatch(content_type) is None:
        raise Refusal(FAULTS["header_malformed"], _JSON_FORM)


def check_sizes(target: bytes, headers: Mapping[bytes, bytes]) -> None:
    """What an institution will be sent fits what any server takes. Raises Refusal (40001, 40002).

    A target has at most 4 KB, the value of its `next_page` not counted: that is the institution's own. The standard
    gives no forwarded header more than 100 characters; `Accept-Encoding` may have 1 KB.
    """
    if len(target) > TARGET_MOST and len(target) - len(_next_page(target)) > TARGET_MOST:
        raise Refusal(FAULTS["parameter_malformed"], f"URI (next_page를 제외하고 {TARGET_MOST}바이트까지)")
    for name in _TO_PROVIDER:
        if name in headers and len(headers[name]) > _HEADER_MOST:
            raise Refusal(FAULTS["header_malformed"], f"{name.decode()} ({_HEADER_MOST}바이트까지)")


def _next_page(target: bytes) -> bytes:
    """The value of `next_page` as it stands in a target; empty when it is not there."""
    for pair in target.partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        if unquote_to_bytes(name) == b"next_page":
            return value
    return b""


def flaw_of(status: int, headers: Mapping[bytes, bytes], tran_id: bytes) -> str:
    """What is wrong with what a provider sent for this call, in a word; "" when it can be its answer.

    `status`: none of the standard. `tran_id`: it names another call, so it holds another customer's data. `type`,
    `charset`: no JSON in UTF-8; one without a type gets the benefit of the doubt.
    """
    if status not in ANSWERABLE:
        return "status"
    if headers.get(b"x-api-tran-id", tran_id) != tran_id:
        return "tran_id"
    content_type = headers.get(b"content-type", JSON_TYPE)
    if content_type == JSON_TYPE or _JSON.fullmatch(content_type) is not None:
        return ""
    return "charset" if content_type.lower().startswith(b"application/json;") else "type"


def request(
    address: Address, method: str, target: bytes, headers: Mapping[bytes, bytes], about: About, body: bytes
) -> bytes:
    """A whole request to a provider: the same target that was matched, and header lines by allow-list.

    `headers` are the operator's, checked before: x-api-tran-id, x-api-type and, unless the answer has to be read here,
    Accept-Encoding pass. x-client-id, x-user-ci, x-consent-withheld where the customer did not consent to fields of the
    answer (규격 6.2) and, with a body, its type and length are written here. Never Authorization, and nothing else that
    the operator sent.
    """
    posts = method == "POST"
    parts = [address.post if posts else address.get, target, address.tail, headers[b"x-api-tran-id"]]
    parts += (b"\r\nx-client-id: ", about.client_id.encode(), b"\r\nx-user-ci: ", about.ci)
    if about.withheld and not about.plain:
        parts += (b"\r\nx-consent-withheld: ", " ".join(sorted(about.withheld)).encode())
    for name in _TO_PROVIDER[: 1 if about.plain else 2]:
        if name in headers:
            parts += (b"\r\n", name, b": ", headers[name])
    if posts:
        parts += (b"\r\nContent-Type: ", JSON_TYPE, b"\r\nContent-Length: %d" % len(body))
    parts += (b"\r\n\r\n", body)
    return b"".join(parts)


def answer_head(
    status: int,
    tran_id: bytes,
    headers: Mapping[bytes, bytes],
    length: int | None,
    *,
    close: bool,
    heads: Mapping[int, bytes] = _HEAD,
    allowed: tuple[bytes, ...] = _TO_OPERATOR,
) -> bytes:
    """The head of an answer to an operator, header lines by allow-list. `length` None: the body follows in chunks.

    `heads` are the first lines by status, `allowed` the header lines that pass: those of the data APIs unless given.
    """
    parts = [heads[status], tran_id]
    for name in allowed:
        if name in headers:
            parts += (b"\r\n", name, b": ", headers[name])
    parts.append(b"\r\nTransfer-Encoding: chunked" if length is None else b"\r\nContent-Length: %d" % length)
    parts.append(b"\r\nConnection: close\r\n\r\n" if close else b"\r\n\r\n")
    return b"".join(parts)


def refusal(error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
    """A whole answer that refuses: rsp_code, rsp_msg with the field concerned, the echoed tran_id."""
    fault = error.fault
    headers: dict[bytes, bytes] = {}
    if error.retry_after or fault.status == HTTPStatus.TOO_MANY_REQUESTS:
        headers[b"retry-after"] = str(max(1, -int(-error.retry_after // 1))).encode()
    if fault.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers[b"allow"] = error.allow.encode()  # RFC 9110 15.5.6
    body = refusal_body(fault, error.detail)
    return answer_head(fault.status, tran_id, headers, len(body), close=close) + body


def refusal_body(fault: Fault, detail: str = "") -> bytes:
    """`{"rsp_code": ..., "rsp_msg": ...}` of a fault; `detail` names what is concerned."""
    return json.dumps(refusal_told(fault, detail), ensure_ascii=False, separators=(",", ":")).encode()


def refusal_told(fault: Fault, detail: str = "") -> dict[str, str]:
    """What that body says."""
    return {"rsp_code": fault.rsp_code, "rsp_msg": words_of(fault, detail)}


def words_of(fault: Fault, detail: str = "") -> str:
    """What a caller reads of a fault: `rsp_msg`, or `error_description` of OAuth; both are AH(450)."""
    words = f"{fault.words}: {detail}" if detail else fault.words
    return words.encode()[:_MSG_MOST].decode(errors="ignore")
