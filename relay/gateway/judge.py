"""The judgement of one call, without waiting: steps 3 to 7 of "The life of a call" (`docs/design/architecture.md`).

The order of the statements is the order of refusals: overload of the relay 42901, path 40401, method 40501,
version 40003, headers 40002, institution 40303, token 40101, consent ended 40106, scope 40104, parameters 40001, period
40004 and 40304, asset 40105, scheduled transfer 40301, slot 50009, maintenance 50008, weekly quota and rates 42901.
Headers that depend on the institution's `checking` (40002) come after the institution. Certificate (40103) and address
(40102) come before: see `connection_registry`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.domain.authorization.grant import Grant
from relay.domain.authorization.token import Claims, TokenExpired
from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import API_TYPE_FORM, AUTHORIZATION_FORM, ApiType
from relay.domain.korea import date_in_korea
from relay.domain.ports import Grants, QuotaCounters, ScheduledTransfers, TokenVerifier
from relay.domain.quota import Transfer
from relay.gateway.refusal_limits import RefusalLimits
from relay.policy.call.access import Caller, check_token_institution, check_tran_id, find_token_owner
from relay.policy.call.attribution import API_TYPES
from relay.policy.call.envelope import MAX_TARGET_BYTES, check_json_type, check_sizes, require_tran_id
from relay.policy.call.maintenance import is_in_maintenance
from relay.policy.call.plan import ApiRules, Institution, Plan
from relay.policy.call.query import POST_QUERY_MESSAGE, Parameters, parse_body, parse_query
from relay.policy.call.route import Route, find_route
from relay.policy.call.slot import check_slot
from relay.policy.quota.overload import OverloadGate
from relay.policy.settings.scalars import Checking
from relay.wire.head import RequestHead

Judgement = tuple[Route, Institution, Grant | None, Transfer | None]
"""API, institution, grant (None if none is needed) and the limited scheduled transfer of an accepted call."""

_SCHEDULED: Final = ApiType.SCHEDULED.value


@dataclass(frozen=True, slots=True)
class JudgeDependencies:
    """What `judge` uses: verified tokens, grants, and quotas of institutions and of the authority.

    `transfers` knows the scheduled transfers of this week. `refusals` counts refused calls. `overload` knows whether
    the relay refuses calls early.
    """

    token_verifier: TokenVerifier
    grants: Grants
    quotas: QuotaCounters
    authority_quotas: QuotaCounters
    refusals: RefusalLimits
    transfers: ScheduledTransfers
    overload: OverloadGate = field(default_factory=OverloadGate)


def judge(
    plan: Plan, ports: JudgeDependencies, callers: Sequence[Caller], head: RequestHead, body: bytes, exchange: Exchange
) -> Judgement:
    """Judges a call of one of `callers` and records in `exchange` what becomes known. The time of judgement decides.

    Raises Refusal. Raises NotCached, NotVerified or NotLeased if the call must wait for its grant, its token's turn or
    its quotas.
    """
    headers = head.headers
    exchange.api_type = API_TYPES.get(headers.get(b"x-api-type"), "")
    if ports.overload.level and not exchange.grant_wait:  # a call that has waited is not new
        ports.overload.check(is_scheduled=exchange.api_type == _SCHEDULED)
    now, monotonic = exchange.received + exchange.grant_wait, exchange.started + exchange.grant_wait

    route, asset, version = find_route(plan.routes, head.method, head.path)
    exchange.api_code, exchange.industry = route.api.api_code, route.industry
    if version > 1:
        plan.check_version(route, version)
    exchange.tran_id = require_tran_id(headers.get(b"x-api-tran-id"))
    if len(head.target) > MAX_TARGET_BYTES or b"accept-encoding" in headers or not exchange.api_type:
        check_sizes(head.target, headers)
    # `_parse_parameters` takes the two rarer cases: a POST, and a path with an asset
    parsed = parse_query(head.query) if head.method == "GET" and not asset else _parse_parameters(head, body, asset)
    parameters = parsed.values
    institution = plan.find_institution(parameters.get("org_code"), route, version)
    exchange.provider = institution.org_code
    if not exchange.api_type:
        _check_api_type(headers.get(b"x-api-type"), institution.checking, needed=route.needs_token)
    if institution.is_strict and not exchange.tran_id.startswith(callers[0].tran_id_prefixes):
        check_tran_id(exchange.tran_id, callers)

    caller, grant = callers[0], None
    if not route.needs_token:
        caller = _find_caller(parameters.get("client_id"), callers, exchange)
    else:
        if b"authorization" not in headers:
            raise Refusal(FAULTS["token_missing"], AUTHORIZATION_FORM)
        try:
            claims = ports.token_verifier.verify(headers[b"authorization"], now)
        except TokenExpired as expired:
            _raise_if_consent_ended_too(ports.grants, expired.claims, callers, institution, exchange)
            raise
        caller = find_token_owner(claims, callers)
        exchange.operator, exchange.client_id = caller.operator.org_code, claims.client_id
        check_token_institution(claims, institution.org_code)
        grant = _check_grant(ports.grants.get(claims.jti, monotonic), claims, route, now)
    exchange.operator = caller.operator.org_code

    is_scheduled, rules = exchange.api_type == _SCHEDULED, institution.rules[route.api.api_code]
    parsed.validate_once(rules.parameters)
    if rules.period is not None:
        rules.period(parameters, exchange.api_type, date_in_korea(now))
    if grant is not None:
        rules.asset(parameters, grant.assets)
        if is_scheduled:
            _check_scheduled(grant, institution, now)
    _check_maintenance(institution, now)
    transfer = _begin_transfer(ports.transfers, rules, parameters, grant, now) if is_scheduled else None
    ports.quotas.take((exchange.operator, institution.org_code, exchange.client_id, is_scheduled), monotonic)
    return route, institution, grant, transfer


def is_usual(rules: ApiRules, head: RequestHead, body: bytes) -> bool:
    """Returns whether an accepted call is as the standard demands and no more. Called only for some responses."""
    parameters = parse_body(body) if head.method == "POST" else parse_query(head.query).values
    return len(head.target) <= MAX_TARGET_BYTES and rules.is_usual(parameters)


def _parse_parameters(head: RequestHead, body: bytes, asset: str) -> Parameters:
    """Parses the body of a POST, or the query and the asset in the path. Raises Refusal (40002, 40001)."""
    if head.method == "POST":
        check_json_type(head.headers.get(b"content-type"))
        if head.query:  # another reader could take them for the parameters of the body
            raise Refusal(FAULTS["parameter_malformed"], POST_QUERY_MESSAGE)
        return Parameters(parse_body(body))
    parameters = parse_query(head.query).values
    if "card_id" in parameters:  # another reader could take it for the card of the path
        raise Refusal(FAULTS["parameter_twice"], "card_id")
    return Parameters({**parameters, "card_id": asset})


def _find_caller(client_id: object, callers: Sequence[Caller], exchange: Exchange) -> Caller:
    """Returns the caller that owns the service in the query of 공통-001, or the first caller.

    This is for the record and the statistics: the call needs no token, so it is not refused.
    """
    for caller in callers:
        if client_id in caller.client_ids:
            exchange.client_id = str(client_id)
            return caller
    return callers[0]


def _check_grant(grant: Grant, claims: Claims, route: Route, now: float) -> Grant:
    """Returns the grant. Raises Refusal: consent ended 40106, scope missing 40104."""
    if grant.ends_at <= now:
        raise Refusal(FAULTS["consent_ended"])
    if route.scope not in claims.scopes:
        raise Refusal(FAULTS["scope_missing"], route.scope)
    return grant


def _raise_if_consent_ended_too(
    grants: Grants, claims: Claims, callers: Sequence[Caller], institution: Institution, exchange: Exchange
) -> None:
    """Raises consent_ended (40106) for an expired token whose consent has ended; returns for all others.

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
    """Checks that the consent covers scheduled transfer (40301) and that a slot is open (50009)."""
    if not grant.is_scheduled:
        raise Refusal(FAULTS["transfer_not_scheduled"])
    check_slot(institution.slots, now)


def _check_maintenance(institution: Institution, now: float) -> None:
    """Raises Refusal (50008) during the institution's maintenance."""
    if institution.maintenance is not None and is_in_maintenance(institution.maintenance, now):
        raise Refusal(FAULTS["provider_maintenance"])


def _begin_transfer(
    transfers: ScheduledTransfers, rules: ApiRules, parameters: Mapping[str, object], grant: Grant | None, now: float
) -> Transfer | None:
    """Returns the scheduled transfer of a call, None if it is not limited. Raises Refusal (42901) if it was made."""
    rule = rules.transfer
    if rule is None or grant is None:
        return None
    description = rule.describe(grant.consent, parameters)
    return transfers.begin(description, now, is_continuation=rule.is_continuation(parameters))


def _check_api_type(sent: bytes | None, checking: Checking, *, needed: bool) -> None:
    """Checks an `x-api-type` that is not one of the four values (규격 1.4); before 2022 calls on demand had none."""
    if sent is None:
        if needed and checking is Checking.STRICT:
            raise Refusal(FAULTS["header_missing"], API_TYPE_FORM)
    elif checking is not Checking.OFF:
        raise Refusal(FAULTS["header_malformed"], API_TYPE_FORM)
