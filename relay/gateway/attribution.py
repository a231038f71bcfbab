"""Attributes refused calls for their record: to an operator by certificate, to a service by a genuine token."""

import contextlib
from typing import Final, NamedTuple

from relay.domain.authorization.token import TokenExpired
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ports import TokenVerifier
from relay.gateway.caller_connection import ConnectionInfo
from relay.gateway.connection_registry import ConnectionRegistry
from relay.policy.call.access import find_token_owner
from relay.policy.call.attribution import API_TYPES, attribute_refusal
from relay.policy.call.plan import Plan

UNIDENTIFIED_TOKEN: Final = frozenset({"token_malformed", "token_untrusted", "token_expired"})
"""Faults after which another verification is useless: the token is invalid, or expired and its service recorded.

PERF: such a token is not cached; a verification costs 70 to 220 us.
"""

_EXCESS: Final = FAULTS["connections_exceeded"]


class RefusedCall(NamedTuple):
    """The parts of a refused call: path, query and body (or all received bytes), Authorization and x-api-type."""

    path: bytes
    text: bytes
    authorization: bytes | None = None
    api_type: bytes | None = None


def attribute_refused(
    plan: Plan,
    connection_registry: ConnectionRegistry,
    token_verifier: TokenVerifier,
    info: ConnectionInfo,
    call: RefusedCall,
    exchange: Exchange,
) -> None:
    """Records what a refused call names: its type, API, institution and service. This decides nothing.

    Raises NotVerified if the token must be verified first and this turn of the event loop verifies no more.
    A caller without a registered certificate is not attributed. A connection beyond the limit of its operator has one,
    so its call is attributed.
    """
    if not exchange.api_type and call.path not in plan.authority:
        exchange.api_type = API_TYPES.get(call.api_type, "")
    if exchange.api_code and exchange.provider and exchange.client_id:
        return
    if info.plan is not plan:
        try:
            connection_registry.recognise(plan, info)
        except Refusal as refusal:
            if refusal.fault is not _EXCESS:
                return
    exchange.operator = exchange.operator or info.operator
    if call.authorization is not None and not exchange.client_id:
        _record_owner(token_verifier, info, call.authorization, exchange)
    attribute_refusal(plan, info.callers, call.path, call.text, exchange)


def _record_owner(
    token_verifier: TokenVerifier, info: ConnectionInfo, authorization: bytes, exchange: Exchange
) -> None:
    with contextlib.suppress(Refusal):
        try:
            claims = token_verifier.verify(authorization, exchange.received + exchange.grant_wait)
        except TokenExpired as expired:
            claims = expired.claims
        owner = find_token_owner(claims, info.callers)
        exchange.operator, exchange.client_id = owner.operator.org_code, claims.client_id
