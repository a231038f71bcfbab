"""What goes to the authority and comes back: OAuth's dialect of the envelope (규격 3.10; RFC 6749 5.2)."""

import json
import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Fault, Refusal, Whose
from relay.policy.call import envelope
from relay.policy.call.envelope import Address

PLACE: Final = Address(b"GET ", b"POST ", b" HTTP/1.1\r\nHost: authority")
"""The authority as requests name it."""

REVOCATIONS_PATH: Final = "/relay/revocations"
"""Where a gateway listens to the authority for revocations; no caller's target leads there."""

_REVOKED: Final = b"x-relay-revoked"

_TO_AUTHORITY: Final = (b"x-api-tran-id", b"content-type", b"content-encoding")
WITH_CUSTOMER: Final = (*_TO_AUTHORITY, b"x-user-ci")
"""Header lines of a caller's request that the endpoints of OAuth may see, beside those written here."""

WITH_TOKEN: Final = (*_TO_AUTHORITY, b"authorization")
"""Those that the support APIs may see."""

_TO_OPERATOR: Final = (b"allow", b"cache-control", b"location", b"pragma", b"retry-after")
_ANSWERABLE: Final = frozenset({200, 302, 400, 405, 500, 503})
_HEAD: Final = envelope.first_lines(_ANSWERABLE | {404})
_PLACE: Final = re.compile(rb"/(?:v[0-9]{1,3}/)?(?:mgmts/)?oauth(?:[/? ]|\Z)")
"""What paths of OAuth begin with, those of later editions too (`/v2/oauth/2.0/token`)."""

_LINE: Final = re.compile(rb"[A-Z]{3,20} (?=/)")

_TOKEN: Final = b"/oauth/2.0/token"
_GRANT: Final = re.compile(rb"(?:^|&)grant_type=(authorization_code|refresh_token|password)(?:&|$)")

_NOTED: Final = (
    (b"x-relay-api-code", "api_code"),
    (b"x-relay-provider", "provider"),
    (b"x-relay-client-id", "client_id"),
    (b"x-relay-operator", "operator"),
    (b"x-relay-reason", "reason"),
    (b"x-relay-error", "error"),
)
"""What the authority tells for the record, and where it stands there. None of it goes to the operator."""

_ERRORS: Final = {
    "40102": (400, "unauthorized_client"),
    "40103": (400, "unauthorized_client"),
    "40501": (405, "method_not_allowed"),
    "42901": (503, "temporarily_unavailable"),
    "50003": (503, "temporarily_unavailable"),
}
_OURS: Final = {
    "provider_busy": "authority_busy",
    "provider_rate": "authority_busy",
    "provider_silent": "authority_silent",
}
"""What the wire says of an institution, said of the authority: its faults are the relay's."""


def kind_of(path: bytes, body: bytes) -> str:
    """The kind of a call at the authority: its path, for tokens the grant_type, as far as it is written plainly."""
    named = _GRANT.search(body) if path == _TOKEN else None
    return named[1].decode() if named is not None else path.decode("ascii", "replace")


def is_oauth(path: bytes) -> bool:
    """Whether a path is one of OAuth: tokens for operators (규격 5.1), the token for the portal (지원-101).

    Whether it is served is another question: what lies beside them is refused in OAuth's form, too.
    """
    return _PLACE.match(path) is not None


def speaks_oauth(raw: bytes) -> bool:
    """Whether a head that could not be read was meant for the authority."""
    line = _LINE.match(raw)
    return line is not None and is_oauth(raw[line.end() :])


def request(
    method: str,
    target: bytes,
    headers: Mapping[bytes, bytes],
    operators: tuple[str, ...],
    fault: str,
    body: bytes,
    passing: tuple[bytes, ...] = WITH_CUSTOMER,
) -> bytes:
    """A whole request to the authority: the target as it came, header lines by allow-list, and who calls.

    `operators` are those that certificate and address may speak for; `fault` is why nobody is known. `passing` is the
    allow-list: WITH_CUSTOMER or WITH_TOKEN.
    """
    posts = method == "POST"
    parts = [PLACE.post if posts else PLACE.get, target, PLACE.tail]
    parts += (b"\r\nx-relay-operators: ", ",".join(operators).encode())
    if fault:
        parts += (b"\r\nx-relay-fault: ", fault.encode())
    for name in passing:
        if name in headers:
            parts += (b"\r\n", name, b": ", headers[name])
    if posts:
        parts.append(b"\r\nContent-Length: %d" % len(body))
    parts += (b"\r\n\r\n", body)
    return b"".join(parts)


def flaw_of(status: int, headers: Mapping[bytes, bytes], tran_id: bytes) -> str:
    """What is wrong with what came for this call, in a word; "" when it can be the authority's answer."""
    if status not in _ANSWERABLE:
        return "status"
    return "" if headers.get(b"x-api-tran-id", tran_id) == tran_id else "tran_id"


def note(exchange: Exchange, headers: Mapping[bytes, bytes]) -> None:
    """Take over what the authority tells for the record."""
    for name, slot in _NOTED:
        if name in headers:
            setattr(exchange, slot, headers[name].decode("latin-1"))


def revoked(headers: Mapping[bytes, bytes]) -> list[str]:
    """The jtis of the access tokens that the authority revoked in this call."""
    return headers[_REVOKED].decode("latin-1").split(",") if _REVOKED in headers else []


answer_head: Final = partial(envelope.answer_head, heads=_HEAD, allowed=_TO_OPERATOR)
"""The head of an answer to an operator, as in the envelope of the data APIs, with OAuth's statuses and header lines."""


support_head: Final = partial(envelope.answer_head, allowed=_TO_OPERATOR)
"""The head of an answer of a support API: statuses of the data APIs, header lines of OAuth."""


def ours(fault: Fault) -> Fault:
    """A fault of the way to the authority under the relay's own name."""
    other = "authority_unreachable" if fault.whose is Whose.PROVIDER else fault.name
    return FAULTS[_OURS.get(fault.name, other)]


def error_of(fault: Fault) -> tuple[int, str]:
    """HTTP status and OAuth error of a fault (규격 3.10).

    A path that is not served keeps the 404 of 40401: the 400 of RFC 6749 5.2 is for endpoints of OAuth.
    """
    if fault.name == "endpoint_unknown":
        return 404, "invalid_request"
    if fault.rsp_code in _ERRORS:
        return _ERRORS[fault.rsp_code]
    if fault.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return (500, "server_error") if fault.name == "relay_broken" else (503, "temporarily_unavailable")
    return 400, "invalid_request"


def refusal(error: Refusal, tran_id: bytes, *, close: bool) -> bytes:
    """A whole answer that refuses in OAuth's form; its description is the `rsp_msg` of the fault (규격 3.10)."""
    status, name = error_of(error.fault)
    headers: dict[bytes, bytes] = {b"cache-control": b"no-store", b"pragma": b"no-cache"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers[b"retry-after"] = str(max(1, -int(-error.retry_after // 1))).encode()
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers[b"allow"] = error.allow.encode()
    told = {"error": name, "error_description": envelope.words_of(error.fault, error.detail)}
    body = json.dumps(told, ensure_ascii=False).encode()
    return answer_head(status, tran_id, headers, len(body), close=close) + body
