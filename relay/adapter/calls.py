"""Reads the calls that a gateway forwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.domain.fault import FAULTS, Refusal
from relay.domain.ids import is_tran_id
from relay.policy.call.fields import to_text
from relay.policy.call.query import parse_body, parse_query
from relay.policy.call.route import Routes, find_route
from relay.policy.mediation.conversion import Call
from relay.policy.upstream.adapter_headers import CONSENT_HEADER


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """A request as received: its raw target, headers by lower-case name, and body."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def tran_id(self) -> str:
        """The 거래고유번호, "" when it is missing or malformed."""
        text = self.headers.get("x-api-tran-id", "")
        return text if is_tran_id(text) else ""

    @property
    def org_code(self) -> str:
        """The org_code in the first part of the path: the gateway's base URL of the institution."""
        return self.target.split("/", 2)[1] if self.target.count("/") > 1 else ""


def read_call(routes: Routes, request: ForwardedRequest) -> tuple[str, Call]:
    """Returns the api_code and the call of a request. Raises Refusal.

    The gateway has checked the call; without a consent it is refused, because a `next_page` would be bound to nothing.
    """
    headers = request.headers
    consent = headers.get(CONSENT_HEADER.decode(), "")
    if not request.tran_id or not consent:
        raise Refusal(FAULTS["header_missing"])
    path, _, query = request.target.removeprefix(f"/{request.org_code}").partition("?")
    route, asset, _ = find_route(routes, request.method, path.encode("latin-1"))
    is_post = request.method == "POST"
    values = parse_body(request.body) if is_post else parse_query(query.encode("latin-1")).values
    parameters = {name: to_text(value) for name, value in values.items()}
    if asset:
        parameters["card_id"] = asset
    return route.api_code, Call(
        org_code=request.org_code,
        parameters=parameters,
        tran_id=request.tran_id,
        api_type=headers.get("x-api-type", ""),
        client_id=headers.get("x-client-id", ""),
        user_ci=headers.get("x-user-ci", ""),
        consent=consent,
    )
