"""Builds requests to the authority and its responses to operators in OAuth's form (규격 3.10; RFC 6749 5.2)."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Fault, FaultOwner, Refusal
from relay.policy.call import envelope
from relay.policy.call.institution_request import RequestTemplate

_TEMPLATE: Final = RequestTemplate(b"GET ", b"POST ", b" HTTP/1.1\r\nHost: authority")

REVOCATIONS_PATH: Final = "/relay/revocations"
"""Path of the authority's revocation feed for gateways; callers cannot reach it."""

REVOKED_HEADER: Final = b"x-relay-revoked"

_FORWARDED_HEADERS: Final = (b"x-api-tran-id", b"content-type", b"content-encoding")
OAUTH_HEADERS: Final = (*_FORWARDED_HEADERS, b"x-user-ci")
"""Request headers of a caller that are passed to OAuth endpoints, beside those written here."""

SUPPORT_HEADERS: Final = (*_FORWARDED_HEADERS, b"authorization")
"""Request headers of a caller that are passed to support APIs."""

_RETURNED_HEADERS: Final = (b"allow", b"cache-control", b"location", b"pragma", b"retry-after")
_RESPONSE_STATUSES: Final = frozenset({200, 302, 400, 405, 500, 503})
_HEAD_PREFIXES: Final = envelope.build_head_prefixes(_RESPONSE_STATUSES | {404})
_OAUTH_PATH: Final = re.compile(rb"/(?:v[0-9]{1,3}/)?(?:mgmts/)?oauth(?:[/? ]|\Z)")
"""The beginning of OAuth paths, also of later editions (`/v2/oauth/2.0/token`)."""

_METHOD: Final = re.compile(rb"[A-Z]{3,20} (?=/)")

_TOKEN_PATH: Final = b"/oauth/2.0/token"
_GRANT_TYPE: Final = re.compile(rb"(?:^|&)grant_type=(authorization_code|refresh_token|password)(?:&|$)")

RECORD_HEADERS: Final = (
    (b"x-relay-api-code", "api_code"),
    (b"x-relay-provider", "provider"),
    (b"x-relay-client-id", "client_id"),
    (b"x-relay-operator", "operator"),
    (b"x-relay-reason", "reason"),
    (b"x-relay-error", "error"),
)
"""Response headers of the authority for the record, with the field of the exchange. Operators do not see them."""

_ERRORS: Final = {
    "40102": (400, "unauthorized_client"),
    "40103": (400, "unauthorized_client"),
    "40501": (405, "method_not_allowed"),
    "42901": (503, "temporarily_unavailable"),
    "50003": (503, "temporarily_unavailable"),
}
_AUTHORITY_FAULTS: Final = {
    "provider_busy": "authority_busy",
    "provider_rate": "authority_busy",
    "provider_silent": "authority_silent",
}
"""Faults of the authority by the fault that an institution would have: the relay is responsible for the authority."""


def classify_call(path: bytes, body: bytes) -> str:
    """Returns the kind of an authority call: its path, or for tokens the grant_type if it is not encoded."""
    match = _GRANT_TYPE.search(body) if path == _TOKEN_PATH else None
    return match[1].decode() if match is not None else path.decode("ascii", "replace")


def is_oauth_path(path: bytes) -> bool:
    """Whether a path is an OAuth path: tokens for operators (규격 5.1), the token for the portal (지원-101).

    True also for unknown paths below these: they are refused in OAuth's form.
    """
    return _OAUTH_PATH.match(path) is not None


def is_oauth_request(raw: bytes) -> bool:
    """Whether a malformed head was meant for the authority."""
    method = _METHOD.match(raw)
    return method is not None and is_oauth_path(raw[method.end() :])


def build_request(
    method: str,
    target: bytes,
    headers: Mapping[bytes, bytes],
    *,
    operators: tuple[str, ...],
    fault: str,
    body: bytes,
    allowed: tuple[bytes, ...] = OAUTH_HEADERS,
) -> bytes:
    """Returns a complete request to the authority: the received target, headers by allow-list, and the operators.

    `operators` are those that certificate and address identify; `fault` is the reason when there are none. `allowed` is
    the allow-list: OAUTH_HEADERS or SUPPORT_HEADERS.
    """
    is_post = method == "POST"
    parts = [_TEMPLATE.post if is_post else _TEMPLATE.get, target, _TEMPLATE.tail]
    parts += (b"\r\nx-relay-operators: ", ",".join(operators).encode())
    if fault:
        parts += (b"\r\nx-relay-fault: ", fault.encode())
    for name in allowed:
        if name in headers:
            parts += (b"\r\n", name, b": ", headers[name])
    if is_post:
        parts.append(b"\r\nContent-Length: %d" % len(body))
    parts += (b"\r\n\r\n", body)
    return b"".join(parts)


def find_flaw(status: int, headers: Mapping[bytes, bytes], tran_id: bytes) -> str:
    """Returns what is wrong with a response of the authority in one word, "" when it is valid."""
    if status not in _RESPONSE_STATUSES:
        return "status"
    return "" if headers.get(b"x-api-tran-id", tran_id) == tran_id else "tran_id"


def copy_record_headers(exchange: Exchange, headers: Mapping[bytes, bytes]) -> None:
    """Copies the authority's record headers to the exchange."""
    for name, field in RECORD_HEADERS:
        if name in headers:
            setattr(exchange, field, headers[name].decode("latin-1"))


def get_revoked_jtis(headers: Mapping[bytes, bytes]) -> list[str]:
    """Returns the jtis of the access tokens that the authority revoked in this call."""
    return headers[REVOKED_HEADER].decode("latin-1").split(",") if REVOKED_HEADER in headers else []


def build_response_head(
    status: int, tran_id: bytes, headers: Mapping[bytes, bytes], length: int | None, *, close: bool
) -> bytes:
    """Returns the head of an OAuth response to an operator, with OAuth's statuses and headers."""
    return envelope.build_response_head(
        status, tran_id, headers, length, close=close, heads=_HEAD_PREFIXES, allowed=_RETURNED_HEADERS
    )


def build_support_head(
    status: int, tran_id: bytes, headers: Mapping[bytes, bytes], length: int | None, *, close: bool
) -> bytes:
    """Returns the head of a support API's response: statuses of the data APIs, headers of OAuth."""
    return envelope.build_response_head(status, tran_id, headers, length, close=close, allowed=_RETURNED_HEADERS)


def to_relay_fault(fault: Fault) -> Fault:
    """Returns the relay's fault for one that occurred on the connection to the authority."""
    default = "authority_unreachable" if fault.owner is FaultOwner.PROVIDER else fault.name
    return FAULTS[_AUTHORITY_FAULTS.get(fault.name, default)]


def get_oauth_error(fault: Fault) -> tuple[int, str]:
    """Returns HTTP status and OAuth error of a fault (규격 3.10).

    A path that is not served keeps the 404 of 40401: the 400 of RFC 6749 5.2 is for OAuth endpoints.
    """
    if fault.name == "endpoint_unknown":
        return 404, "invalid_request"
    if fault.rsp_code in _ERRORS:
        return _ERRORS[fault.rsp_code]
    if fault.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return (500, "server_error") if fault.name == "relay_broken" else (503, "temporarily_unavailable")
    return 400, "invalid_request"


def build_refusal(error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
    """Returns the complete response of a refusal in OAuth's form; the description is `rsp_msg` (규격 3.10)."""
    status, name = get_oauth_error(error.fault)
    headers: dict[bytes, bytes] = {b"cache-control": b"no-store", b"pragma": b"no-cache"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers[b"retry-after"] = str(max(1, -int(-error.retry_after // 1))).encode()
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers[b"allow"] = error.allow.encode()
    content = {"error": name, "error_description": envelope.format_message(error.fault, error.detail)}
    body = json.dumps(content, ensure_ascii=False).encode()
    return build_response_head(status, tran_id, headers, len(body), close=close) + body
