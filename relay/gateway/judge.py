"""The judgement of one call: steps 2-6 of its life, straight down, waiting for nothing.

The order of refusals is the order of the lines (규격 첨부1): certificate 40103, address 40102, path 40401, method
40501, version 40003, headers 40002, institution 40303, token 40101, consent ended 40106, scope 40104, parameters 40001,
period 40004 and 40304, asset 40105, scheduled transfer 40301, slot 50009, maintenance 50008, rate 42901. Headers that
the institution's `checking` decides about (40002) come behind the institution.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from relay.domain.authorization.grant import Grant
from relay.domain.authorization.token import Claims, Expired
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import ApiType
from relay.domain.ports import Grants, Keyring, QuotaCounters
from relay.gateway.refusal_limits import RefusalLimits
from relay.policy.call.access import Caller, check_provider, check_tran_id, owner_of
from relay.policy.call.attribution import API_TYPES
from relay.policy.call.envelope import TARGET_MOST, check_json_type, check_sizes, valid_tran_id
from relay.policy.call.maintenance import in_maintenance
from relay.policy.call.plan import Institution, Plan, Rules
from relay.policy.call.query import QUERY_OF_A_POST, body_parameters, query_parameters
from relay.policy.call.route import Route, find_route
from relay.policy.call.slot import check_slot
from relay.policy.settings.scalars import Checking
from relay.wire.head import RequestHead

_SCHEDULED: Final = ApiType.SCHEDULED.value
_API_TYPE_FORM: Final = f"x-api-type ({', '.join(ApiType)} 중 하나)"
_KOREA_AHEAD_S: Final = 9 * 3600
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Judges:
    """Who is asked while a call is judged: about tokens, consents, how much was taken here and at the authority.

    `refusals` counts the calls that were refused.
    """

    keyring: Keyring
    grants: Grants
    quotas: QuotaCounters
    authority_quotas: QuotaCounters
    refusals: RefusalLimits


def judge(
    plan: Plan, judges: Judges, callers: tuple[Caller, ...], head: RequestHead, body: bytes, exchange: Exchange
) -> tuple[Route, Institution, Grant | None]:
    """Judge a call of one of `callers`, noting in `exchange` what becomes known. Raises Refusal, or NotYet.

    What comes back is the API asked for, the institution that answers it, and the consent (None where none is needed).
    The call is judged by the time of this judgement, which lies `exchange.waited` after the arrival of the call.
    """
    headers = head.headers
    exchange.api_type = API_TYPES.get(headers.get(b"x-api-type"), "")
    now, monotonic = exchange.received + exchange.waited, exchange.started + exchange.waited

    route, asset, version = find_route(plan.routes, head.method, head.path)
    exchange.api_code, exchange.industry = route.api.api_code, route.industry
    if version > 1:
        plan.check_version(route, version)

    exchange.tran_id = valid_tran_id(headers.get(b"x-api-tran-id"))
    if len(head.target) > TARGET_MOST or b"accept-encoding" in headers or not exchange.api_type:
        check_sizes(head.target, headers)

    # PERF: the common case of `_parameters` stands here
    parameters = query_parameters(head.query) if head.method == "GET" and not asset else _parameters(head, body, asset)
    institution = plan.institution(parameters.get("org_code"), route, version)
    exchange.provider = institution.org_code
    if not exchange.api_type:
        _check_api_type(headers.get(b"x-api-type"), institution.checking, needed=route.needs_token)
    if institution.checking is Checking.STRICT and not exchange.tran_id.startswith(callers[0].tran_id_starts):
        check_tran_id(exchange.tran_id, callers)

    caller, grant = callers[0], None
    if not route.needs_token:
        caller = _named(parameters.get("client_id"), callers, exchange)
    else:
        if b"authorization" not in headers:
            raise Refusal(FAULTS["token_missing"])
        try:
            claims = judges.keyring.claims(headers[b"authorization"], now)
        except Expired as expired:
            _check_consent(judges.grants, expired.claims, callers, institution, exchange)
            raise
        caller = owner_of(claims, callers)
        exchange.operator, exchange.client_id = caller.operator.org_code, claims.client_id
        check_provider(claims, institution.org_code)
        grant = _grant(judges.grants.of(claims.jti, monotonic), claims, route, now)
    exchange.operator = caller.operator.org_code

    rules = institution.rules[route.api.api_code]
    rules.parameters(parameters)
    if rules.period is not None:
        rules.period(parameters, exchange.api_type, today_in_korea(int(now)))
    if grant is not None:
        rules.asset(parameters, grant.assets)
        if exchange.api_type == _SCHEDULED:
            _check_scheduled(grant, institution, now)

    if institution.maintenance is not None and in_maintenance(institution.maintenance, now):
        raise Refusal(FAULTS["provider_maintenance"])
    judges.quotas.take(caller.operator.org_code, institution.org_code, monotonic)
    return route, institution, grant


def is_usual(rules: Rules, head: RequestHead, body: bytes) -> bool:
    """Whether a call that passed is what the standard asks for and nothing more. For the rare answer that asks it."""
    parameters = body_parameters(body) if head.method == "POST" else query_parameters(head.query)
    return len(head.target) <= TARGET_MOST and rules.is_usual(parameters)


def _parameters(head: RequestHead, body: bytes, asset: str) -> Mapping[str, object]:
    """The parameters of query or body, with the asset named in the path. Raises Refusal (40002, 40001)."""
    if head.method == "POST":
        check_json_type(head.headers.get(b"content-type"))
        if head.query:  # what another reader could take for the body's parameters
            raise Refusal(FAULTS["parameter_malformed"], QUERY_OF_A_POST)
        return body_parameters(body)
    parameters = query_parameters(head.query)
    if not asset:
        return parameters
    if "card_id" in parameters:  # another reader could take it for the card of the path
        raise Refusal(FAULTS["parameter_twice"], "card_id")
    return {**parameters, "card_id": asset}


def _named(client_id: object, callers: tuple[Caller, ...], exchange: Exchange) -> Caller:
    """Who of `callers` the service belongs to that 공통-001 names in its query; the first of them when to nobody's.

    It is for the record and the statistics: such a call needs no token, so nothing is refused for it.
    """
    for caller in callers:
        if client_id in caller.clients:
            exchange.client_id = str(client_id)
            return caller
    return callers[0]


def _grant(grant: Grant, claims: Claims, route: Route, now: float) -> Grant:
    """The consent behind a token: ended 40106, without the scope 40104."""
    if grant.ends <= now:
        raise Refusal(FAULTS["consent_ended"])
    if route.scope not in claims.scopes:
        raise Refusal(FAULTS["scope_missing"], route.scope)
    return grant


def _check_consent(
    grants: Grants, claims: Claims, callers: tuple[Caller, ...], institution: Institution, exchange: Exchange
) -> None:
    """Raise consent_ended for an expired token of the caller whose consent is over; return for every other one.

    A token ends with its consent at the latest, so that it has always expired when the consent is over: an operator
    that is told 40101 would refresh it, and must know that a new demand is needed (40106). Raises NotYet, too.
    """
    try:
        owner = owner_of(claims, callers)
        exchange.operator, exchange.client_id = owner.operator.org_code, claims.client_id
        check_provider(claims, institution.org_code)
        grant = grants.of(claims.jti, exchange.started + exchange.waited)
    except Refusal:  # nothing that says more than that the token has expired
        return
    if grant.ends <= exchange.received + exchange.waited:
        raise Refusal(FAULTS["consent_ended"])


def _check_scheduled(grant: Grant, institution: Institution, now: float) -> None:
    """A scheduled call needs a consent to scheduled transfer (40301) and an open slot (50009)."""
    if not grant.scheduled:
        raise Refusal(FAULTS["transfer_not_scheduled"])
    check_slot(institution.slots, now)


def today_in_korea(now: int) -> date:
    """The day it is in Korea at epoch second `now`."""
    return _day((now + _KOREA_AHEAD_S) // 86_400)


@lru_cache(maxsize=4)
def _day(number: int) -> date:
    return date.fromordinal(_EPOCH + number)


def _check_api_type(sent: bytes | None, checking: Checking, *, needed: bool) -> None:
    """Judge an `x-api-type` that is none of the four words (규격 1.4); before 2022 it was left out on demand."""
    if sent is None:
        if needed and checking is Checking.STRICT:
            raise Refusal(FAULTS["header_missing"], _API_TYPE_FORM)
    elif checking is not Checking.OFF:
        raise Refusal(FAULTS["header_malformed"], _API_TYPE_FORM)
