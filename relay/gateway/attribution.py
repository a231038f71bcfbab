"""Refused calls made complete for their record: who called is known by certificate, and by a token that is genuine."""

import contextlib
from typing import Final, NamedTuple

from relay.domain.authorization.token import Expired
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ports import Keyring
from relay.gateway.connection_registry import Card, Welcome
from relay.policy.call.access import owner_of
from relay.policy.call.attribution import API_TYPES, attribute
from relay.policy.call.plan import Plan

_EXCESS: Final = FAULTS["connections_exceeded"]


class RefusedCall(NamedTuple):
    """What was said in a refused call: path, query and body (or all that came), Authorization and x-api-type."""

    path: bytes
    text: bytes
    authorization: bytes | None = None
    api_type: bytes | None = None


def complete(plan: Plan, welcome: Welcome, keyring: Keyring, card: Card, said: RefusedCall, exchange: Exchange) -> None:
    """Note of a refused call what it names: its type, API, institution and service. Nothing of it decides anything.

    A caller without a certificate of ours counts for nobody, and is not looked at. A connection beyond the limit of its
    operator has one, so its call counts.
    """
    if not exchange.api_type and said.path not in plan.authority:
        exchange.api_type = API_TYPES.get(said.api_type, "")
    if exchange.api_code and exchange.provider and exchange.client_id:
        return
    if card.plan is not plan:
        try:
            welcome.recognise(plan, card)
        except Refusal as refusal:
            if refusal.fault is not _EXCESS:
                return
    exchange.operator = exchange.operator or card.operator
    if said.authorization is not None and not exchange.client_id:
        _note_owner(keyring, card, said.authorization, exchange)
    attribute(plan, card.callers, said.path, said.text, exchange)


def _note_owner(keyring: Keyring, card: Card, authorization: bytes, exchange: Exchange) -> None:
    with contextlib.suppress(Refusal):
        try:
            claims = keyring.claims(authorization, exchange.received + exchange.waited)
        except Expired as expired:
            claims = expired.claims
        owner = owner_of(claims, card.callers)
        exchange.operator, exchange.client_id = owner.operator.org_code, claims.client_id
