"""The judgement of one call, without waiting: steps 2-6 of its life.

The order of the statements is the order of refusals (규격 첨부1): certificate 40103, address 40102, path 40401, method
40501, version 40003, headers 40002, institution 40303, token 40101, consent ended 40106, scope 40104, parameters 40001,
period 40004 and 40304, asset 40105, scheduled transfer 40301, slot 50009, maintenance 50008, rate 42901. Headers that
depend on the institution's `checking` (40002) come after the institution.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from relay.domain.authorization.grant import Grant
from relay.domain.authorization.token import Claims, TokenExpired
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import ApiType
from relay.domain.ports import Grants, QuotaCounters, TokenVerifier
from relay.gateway.refusal_limits import RefusalLimits
from relay.policy.call.access import Caller, check_token_institution, check_tran_id, find_token_owner
from relay.policy.call.attribution import API_TYPES
from relay.policy.call.envelope import MAX_TARGET_BYTES, check_json_type, check_sizes, require_tran_id
from relay.policy.call.maintenance import is_in_maintenance
from relay.policy.call.plan import ApiRules, Institution, Plan
from relay.policy.call.query import POST_QUERY_MESSAGE, parse_body, parse_query
from relay.policy.call.route import Route, find_route
from relay.policy.call.slot import check_slot
from relay.policy.settings.scalars import Checking
from relay.wire.head import RequestHead

_SCHEDULED: Final = ApiType.SCHEDULED.value
_API_TYPE_FORM: Final = f"x-api-type ({', '.join(ApiType)} 중 하나)"
_KOREA_AHEAD_S: Final = 9 * 3600
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class JudgeServices:
    """What `judge` uses: verified tokens, grants, and quotas of institutions and of the authority.

    `refusals` counts refused calls.
    """

    token_verifier: TokenVerifier
    grants: Grants
    quotas: QuotaCounters
    authority_quotas: QuotaCounters
    refusals: RefusalLimits


def judge(
    plan: Plan, services: JudgeServices, callers: tuple[Caller, ...], head: RequestHead, body: bytes, exchange: Exchange
) -> tuple[Route, Institution, Grant | None]:
    """Judge a call of one of `callers` and record in `exchange` what becomes known. Raises Refusal or NotCached.

    Returns the API, the institution and the grant (None if none is needed). The time of the judgement decides, which is
    `exchange.grant_wait` seconds after the arrival of the call.
    """
    headers = head.headers
    exchange.api_type = API_TYPES.get(headers.get(b"x-api-type"), "")
    now, monotonic = exchange.received + exchange.grant_wait, exchange.started + exchange.grant_wait

    route, asset, version = find_route(plan.routes, head.method, head.path)
    exchange.api_code, exchange.industry = route.api.api_code, route.industry
    if version > 1:
        plan.check_version(route, version)

    exchange.tran_id = require_tran_id(headers.get(b"x-api-tran-id"))
    if len(head.target) > MAX_TARGET_BYTES or b"accept-encoding" in headers or not exchange.api_type:
        check_sizes(head.target, headers)

    # PERF: the common case of `_parse_parameters` is inlined
    parameters = parse_query(head.query) if head.method == "GET" and not asset else _parse_parameters(head, body, asset)
    institution = plan.find_institution(parameters.get("org_code"), route, version)
    exchange.provider = institution.org_code
    if not exchange.api_type:
        _check_api_type(headers.get(b"x-api-type"), institution.checking, needed=route.needs_token)
    if institution.checking is Checking.STRICT and not exchange.tran_id.startswith(callers[0].tran_id_prefixes):
        check_tran_id(exchange.tran_id, callers)

    caller, grant = callers[0], None
    if not route.needs_token:
        caller = _find_caller(parameters.get("client_id"), callers, exchange)
    else:
        if b"authorization" not in headers:
            raise Refusal(FAULTS["token_missing"])
        try:
            claims = services.token_verifier.verify(headers[b"authorization"], now)
        except TokenExpired as expired:
            _check_consent(services.grants, expired.claims, callers, institution, exchange)
            raise
        caller = find_token_owner(claims, callers)
        exchange.operator, exchange.client_id = caller.operator.org_code, claims.client_id
        check_token_institution(claims, institution.org_code)
        grant = _check_grant(services.grants.get(claims.jti, monotonic), claims, route, now)
    exchange.operator = caller.operator.org_code

    rules = institution.rules[route.api.api_code]
    rules.parameters(parameters)
    if rules.period is not None:
        rules.period(parameters, exchange.api_type, today_in_korea(int(now)))
    if grant is not None:
        rules.asset(parameters, grant.assets)
        if exchange.api_type == _SCHEDULED:
            _check_scheduled(grant, institution, now)

    if institution.maintenance is not None and is_in_maintenance(institution.maintenance, now):
        raise Refusal(FAULTS["provider_maintenance"])
    services.quotas.take(caller.operator.org_code, institution.org_code, monotonic)
    return route, institution, grant


def is_usual(rules: ApiRules, head: RequestHead, body: bytes) -> bool:
    """Return whether an accepted call is as the standard demands and no more. Called only for some responses."""
    parameters = parse_body(body) if head.method == "POST" else parse_query(head.query)
    return len(head.target) <= MAX_TARGET_BYTES and rules.is_usual(parameters)


def _parse_parameters(head: RequestHead, body: bytes, asset: str) -> Mapping[str, object]:
    """Parse the parameters of query or body, and add the asset in the path. Raises Refusal (40002, 40001)."""
    if head.method == "POST":
        check_json_type(head.headers.get(b"content-type"))
        if head.query:  # another reader could take them for the parameters of the body
            raise Refusal(FAULTS["parameter_malformed"], POST_QUERY_MESSAGE)
        return parse_body(body)
    parameters = parse_query(head.query)
    if not asset:
        return parameters
    if "card_id" in parameters:  # another reader could take it for the card of the path
        raise Refusal(FAULTS["parameter_twice"], "card_id")
    return {**parameters, "card_id": asset}


def _find_caller(client_id: object, callers: tuple[Caller, ...], exchange: Exchange) -> Caller:
    """Return the caller that owns the service in the query of 공통-001, or the first caller.

    This is for the record and the statistics: the call needs no token, so it is not refused.
    """
    for caller in callers:
        if client_id in caller.client_ids:
            exchange.client_id = str(client_id)
            return caller
    return callers[0]


def _check_grant(grant: Grant, claims: Claims, route: Route, now: float) -> Grant:
    """Return the grant. Raises Refusal: consent ended 40106, scope missing 40104."""
    if grant.ends_at <= now:
        raise Refusal(FAULTS["consent_ended"])
    if route.scope not in claims.scopes:
        raise Refusal(FAULTS["scope_missing"], route.scope)
    return grant


def _check_consent(
    grants: Grants, claims: Claims, callers: tuple[Caller, ...], institution: Institution, exchange: Exchange
) -> None:
    """Raise consent_ended (40106) for an expired token whose consent has ended; return for all others.

    A token expires no later than its consent. On 40101 an operator would refresh the token, but after the end of the
    consent it needs a new one. Raises NotCached.
    """
    try:
        owner = find_token_owner(claims, callers)
        exchange.operator, exchange.client_id = owner.operator.org_code, claims.client_id
        check_token_institution(claims, institution.org_code)
        grant = grants.get(claims.jti, exchange.started + exchange.grant_wait)
    except Refusal:  # the caller reports that the token has expired
        return
    if grant.ends_at <= exchange.received + exchange.grant_wait:
        raise Refusal(FAULTS["consent_ended"])


def _check_scheduled(grant: Grant, institution: Institution, now: float) -> None:
    """Check that the consent covers scheduled transfer (40301) and that a slot is open (50009)."""
    if not grant.is_scheduled:
        raise Refusal(FAULTS["transfer_not_scheduled"])
    check_slot(institution.slots, now)


def today_in_korea(now: int) -> date:
    """Return the date in Korea at epoch second `now`."""
    return _day((now + _KOREA_AHEAD_S) // 86_400)


@lru_cache(maxsize=4)
def _day(number: int) -> date:
    return date.fromordinal(_EPOCH + number)


def _check_api_type(sent: bytes | None, checking: Checking, *, needed: bool) -> None:
    """Check an `x-api-type` that is not one of the four values (규격 1.4); before 2022 calls on demand had none."""
    if sent is None:
        if needed and checking is Checking.STRICT:
            raise Refusal(FAULTS["header_missing"], _API_TYPE_FORM)
    elif checking is not Checking.OFF:
        raise Refusal(FAULTS["header_malformed"], _API_TYPE_FORM)
