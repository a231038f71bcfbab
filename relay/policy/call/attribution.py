"""Attributes refused calls to API, institution and service for the statistics (core 5.1).

Statistics also count calls that are refused before an institution is reached. The checks may have stopped before these
values were known, so the call is read once more, only when it was refused.
"""

import re
from collections.abc import Mapping
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.ids import ApiType
from relay.policy.call.access import Caller
from relay.policy.call.plan import Plan
from relay.policy.call.route import lookup_route

API_TYPES: Final[Mapping[bytes | None, str]] = {kind.value.encode(): kind.value for kind in ApiType}
"""Types of call by the value of `x-api-type` (규격 1.4)."""

_API_TYPE_LINE: Final = re.compile(rb"\n(?i:x-api-type):[ \t]*([^\r\n]*?)[ \t]*(?=\r?\n)")

_MAX_SCANNED_BYTES: Final = 8192
_FIELD: Final = re.compile(
    rb'(?:^|[?&{,\s])"?(org_code|client_id|grant_type)(?:=|"\s*:\s*")([0-9A-Za-z_]{1,50})(?=$|[&"\s])'
)
"""A field of a query, a form or a JSON object, which may be malformed elsewhere."""

_API_CODE_BY_GRANT_TYPE: Final = {"authorization_code": "AU02", "refresh_token": "AU03", "password": "AU11"}
_API_CODE_BY_PATH: Final = {b"/oauth/2.0/authorize": "AU01", b"/oauth/2.0/revoke": "AU04"}
_API_CODE_WITHOUT_GRANT_TYPE: Final = "AU02"
"""Token calls without a grant_type of the standard count for the first token API (개별인증-002)."""


def attribute_refusal(plan: Plan, callers: tuple[Caller, ...], path: bytes, content: bytes, exchange: Exchange) -> None:
    """Sets the missing API of the exchange by `path`, institution and service by `content` (query and body).

    Nothing is set when the path belongs to no API. A field with two different values is ignored. A service counts only
    when it belongs to the calling operator.
    """
    fields = _read_fields(content[:_MAX_SCANNED_BYTES])
    if not exchange.api_code:
        exchange.api_code, exchange.industry = _find_api(plan, path, fields)
    if not exchange.api_code:
        return
    if not exchange.provider and fields.get("org_code") in plan.institutions:
        exchange.provider = fields["org_code"]
    if not exchange.client_id:
        for caller in callers:
            if fields.get("client_id") in caller.client_ids:
                exchange.operator, exchange.client_id = caller.operator.org_code, fields["client_id"]


def find_api_type(raw: bytes) -> bytes | None:
    """Returns `x-api-type` of a malformed head; None unless the header occurs exactly once."""
    values = _API_TYPE_LINE.findall(raw[:_MAX_SCANNED_BYTES])
    return values[0] if len(values) == 1 else None


def _read_fields(content: bytes) -> Mapping[str, str]:
    values: dict[str, set[str]] = {}
    for name, value in _FIELD.findall(content):
        values.setdefault(name.decode(), set()).add(value.decode())
    return {name: next(iter(distinct)) for name, distinct in values.items() if len(distinct) == 1}


def _find_api(plan: Plan, path: bytes, fields: Mapping[str, str]) -> tuple[str, str]:
    """Returns api_code and industry; "" for both when the path belongs to no API."""
    if path in plan.authority:
        grant_type = fields.get("grant_type", "")
        api_code = _API_CODE_BY_PATH.get(path) or _API_CODE_BY_GRANT_TYPE.get(grant_type, _API_CODE_WITHOUT_GRANT_TYPE)
        return api_code, ""
    route = lookup_route(plan.routes, path)
    return (route.api.api_code, route.industry) if route is not None else ("", "")
