"""The support APIs that the relay offers the portal, behind the gateway (지원-101 to -104; 규격 5.2)."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from relay.domain.api import Api
from relay.endpoint.calls import Answer, Call, refused
from relay.endpoint.errors import OAuthRefusal, refusal_of
from relay.endpoint.handlers import Endpoint
from relay.policy.call.plan import support_code
from relay.portal.bearer import check_bearer
from relay.portal.consents import consents
from relay.portal.parameters import check_headers, parameters_of
from relay.portal.refusals import fault_answer
from relay.portal.resend import resend
from relay.portal.services import Asked, Support, SupportOffice
from relay.portal.status import status
from relay.portal.token import token
from relay.standard.catalogue import load_catalogue

_TOKEN: Final = "지원-101"  # noqa: S105 - an API

Tell = Callable[[Support, Asked], Awaitable[Mapping[str, object]]]
"""Answers what the portal asks: the fields beside rsp_code and rsp_msg. Raises Refusal, Unreachable."""

ASKED: Final[Mapping[str, Tell]] = {"지원-102": status, "지원-103": consents, "지원-104": resend}
"""Who answers 지원-102 to -104."""

_SUCCESS: Final = {"rsp_code": "00000", "rsp_msg": "성공"}


def endpoints(support: Support) -> Mapping[str, Endpoint]:
    """The endpoints by path."""
    apis = load_catalogue().apis
    made = {apis[_TOKEN].path: Endpoint("POST", partial(_give, support), _refuse_token)}
    for api_id, tell in ASKED.items():
        api = apis[api_id]
        made[api.path] = Endpoint(api.method, partial(_tell, support, api, tell), partial(_refuse, api))
    return made


async def _give(support: Support, call: Call) -> Answer:
    call.note.api_code = support_code(_TOKEN)
    return await token(support, _office(support), call)


async def _tell(support: Support, api: Api, tell: Tell, call: Call) -> Answer:
    """What `tell` answers to a good call: its headers (40002), token (40101) and parameters (40001), in this order."""
    call.note.api_code = support_code(api.api_id)
    office, now = _office(support), support.clock()
    check_headers(call, api)
    check_bearer(office, support.signer, call, now)
    asked = Asked(office, parameters_of(call, api), now, call.note)
    return Answer(200, {**_SUCCESS, **await tell(support, asked)})


def _office(support: Support) -> SupportOffice:
    """The office. Raises OAuthRefusal while there is none: the gateway knows a portal, these settings do not yet."""
    if support.office is None:
        raise OAuthRefusal.of("endpoint_unknown")
    return support.office


def _refuse_token(call: Call, error: Exception) -> Answer:
    refusal = refusal_of(error)
    call.note.api_code, call.note.reason, call.note.error = support_code(_TOKEN), refusal.reason, refusal.error
    return refused(refusal)


def _refuse(api: Api, call: Call, error: Exception) -> Answer:
    call.note.api_code = support_code(api.api_id)
    return fault_answer(call, error)
