"""The three OAuth endpoints of the authority, behind the gateway."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from relay.endpoint.calls import Answer, Call, refused
from relay.endpoint.errors import refusal_of
from relay.endpoint.handlers import Endpoint
from relay.oauth.authorize import authorize
from relay.oauth.revocation import revoke
from relay.oauth.services import Authority
from relay.oauth.token import issue_token

ENDPOINTS: Final[Mapping[str, tuple[str, Callable[[Authority, Call], Awaitable[Answer]]]]] = {
    "/oauth/2.0/authorize": ("GET", authorize),
    "/oauth/2.0/token": ("POST", issue_token),
    "/oauth/2.0/revoke": ("POST", revoke),
}
"""HTTP method and handler of each path."""


def endpoints(services: Authority) -> Mapping[str, Endpoint]:
    """Returns the endpoints by path."""

    def refuse(call: Call, error: Exception) -> Answer:
        refusal = refusal_of(error)
        call.note.reason, call.note.error = refusal.reason, refusal.error
        return refused(refusal)

    return {path: Endpoint(method, partial(handler, services), refuse) for path, (method, handler) in ENDPOINTS.items()}
