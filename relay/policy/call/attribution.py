"""Whom a refused call counts for: what it names, as far as that can be read and is the caller's own (core 5.1).

Statistics are counted at the relay's edge, calls included that are refused before an institution is reached. What
judged the call may have stopped before it knew; this looks once more, only at what was refused.
"""

import re
from collections.abc import Mapping
from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.ids import ApiType
from relay.policy.call.access import Caller
from relay.policy.call.plan import Plan
from relay.policy.call.route import route_at

API_TYPES: Final[Mapping[bytes | None, str]] = {kind.value.encode(): kind.value for kind in ApiType}
"""The value of `x-api-type` to the type of call that it names (규격 1.4)."""

_API_TYPE_LINE: Final = re.compile(rb"\n(?i:x-api-type):[ \t]*([^\r\n]*?)[ \t]*(?=\r?\n)")

_LOOKED_AT: Final = 8192
_FIELD: Final = re.compile(
    rb'(?:^|[?&{,\s])"?(org_code|client_id|grant_type)(?:=|"\s*:\s*")([0-9A-Za-z_]{1,50})(?=$|[&"\s])'
)
"""A field of a query, a form or a JSON object; whether the rest of it can be read does not matter."""

_OF_TOKENS: Final = {"authorization_code": "AU02", "refresh_token": "AU03", "password": "AU11"}
_OF_AUTHORITY: Final = {b"/oauth/2.0/authorize": "AU01", b"/oauth/2.0/revoke": "AU04"}
_OF_NO_GRANT: Final = "AU02"
"""A call of the token endpoint that names no grant of the standard counts for the first of its APIs (개별인증-002)."""


def attribute(plan: Plan, callers: tuple[Caller, ...], path: bytes, said: bytes, exchange: Exchange) -> None:
    """Fill in what the exchange does not know yet: API by `path`, institution and service by what was `said`.

    A path of no API counts for nobody, whatever else it names. `said` is query and body; a field that stands twice with
    two values names nothing. A service is taken only from the operator that calls.
    """
    found = _fields(said[:_LOOKED_AT])
    if not exchange.api_code:
        exchange.api_code, exchange.industry = _api_at(plan, path, found)
    if not exchange.api_code:
        return
    if not exchange.provider and found.get("org_code") in plan.institutions:
        exchange.provider = found["org_code"]
    if not exchange.client_id:
        for caller in callers:
            if found.get("client_id") in caller.clients:
                exchange.operator, exchange.client_id = caller.operator.org_code, found["client_id"]


def api_type_in(raw: bytes) -> bytes | None:
    """`x-api-type` in a head that could not be read; None when it does not stand there exactly once."""
    values = _API_TYPE_LINE.findall(raw[:_LOOKED_AT])
    return values[0] if len(values) == 1 else None


def _fields(said: bytes) -> Mapping[str, str]:
    values: dict[str, set[str]] = {}
    for name, value in _FIELD.findall(said):
        values.setdefault(name.decode(), set()).add(value.decode())
    return {name: next(iter(told)) for name, told in values.items() if len(told) == 1}


def _api_at(plan: Plan, path: bytes, found: Mapping[str, str]) -> tuple[str, str]:
    """api_code and industry; "" where the path is nobody's."""
    if path in plan.authority:
        return _OF_AUTHORITY.get(path) or _OF_TOKENS.get(found.get("grant_type", ""), _OF_NO_GRANT), ""
    route = route_at(plan.routes, path)
    return (route.api.api_code, route.industry) if route is not None else ("", "")
