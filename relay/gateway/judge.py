"""The judgement of one call: steps 2-6 of its life, straight down, waiting for nothing.

The order of refusals is the order of the lines (규격 첨부1): certificate 40103, address 40102, path 40401, method
40501, version 40003, headers 40002, institution 40303, token 40101, scope 40104, parameters 40001, rate 42901.
"""

from typing import Final

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import ApiType
from relay.domain.ports import Counters, Keyring
from relay.policy.access import Caller, judge_access
from relay.policy.envelope import check_json_type, valid_tran_id
from relay.policy.plan import Institution, Plan
from relay.policy.query import body_parameters, query_parameters
from relay.policy.route import Route, find_route
from relay.policy.scalars import Checking
from relay.wire.head import RequestHead

_API_TYPES: Final[dict[bytes | None, str]] = {kind.value.encode(): kind.value for kind in ApiType}


def judge(
    plan: Plan,
    keyring: Keyring,
    counters: Counters,
    callers: tuple[Caller, ...],
    head: RequestHead,
    body: bytes,
    exchange: Exchange,
) -> tuple[Route, Institution]:
    """Judge a call of one of `callers`, noting in `exchange` what becomes known. Raises Refusal.

    What comes back is the API asked for and the institution that answers it.
    """
    headers = head.headers

    route, asset, version = find_route(plan.routes, head.method, head.path)
    exchange.api_code, exchange.industry = route.api.api_code, route.industry
    if version > 1:
        plan.check_version(route, version)

    exchange.tran_id = valid_tran_id(headers.get(b"x-api-tran-id"))
    exchange.api_type = _API_TYPES.get(headers.get(b"x-api-type"), "")
    if head.method == "POST":
        check_json_type(headers.get(b"content-type"))

    if head.query and head.method == "POST":  # what another reader could take for the body's parameters
        raise Refusal(FAULTS["parameter_malformed"], "query")
    parameters = body_parameters(body) if head.method == "POST" else query_parameters(head.query)
    institution = plan.institution(parameters.get("org_code"), route, version)
    exchange.provider = institution.org_code
    if not exchange.api_type:
        _check_api_type(headers.get(b"x-api-type"), institution.checking, needed=route.needs_token)

    caller = callers[0]
    if route.needs_token:
        if b"authorization" not in headers:
            raise Refusal(FAULTS["token_missing"])
        claims = keyring.claims(headers[b"authorization"], exchange.received)
        caller = judge_access(claims, callers, institution.org_code, route)
        exchange.client_id = claims.client_id
    exchange.operator = caller.operator.org_code
    # the consent's end (40106) is judged here once the ledger knows consents

    institution.checks[route.api.api_code](parameters if not asset else {**parameters, "card_id": asset})
    # the query period (40004, 40304), the asset (40105) and the slot (50009) are judged here once the ledger knows them

    counters.take(caller.operator.org_code, institution.org_code, exchange.started)
    return route, institution


def _check_api_type(sent: bytes | None, checking: Checking, *, needed: bool) -> None:
    """Judge an `x-api-type` that is none of the four words (규격 1.4); before 2022 it was left out on demand."""
    if sent is None:
        if needed and checking is Checking.STRICT:
            raise Refusal(FAULTS["header_missing"], "x-api-type")
    elif checking is not Checking.OFF:
        raise Refusal(FAULTS["header_malformed"], "x-api-type")
