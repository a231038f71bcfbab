"""The three OAuth endpoints of the authority, behind the gateway."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from relay.endpoint.calls import EndpointResponse, ForwardedCall, build_error_response
from relay.endpoint.errors import to_oauth_refusal
from relay.endpoint.handlers import Endpoint
from relay.oauth.authorize import authorize
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.revocation import revoke
from relay.oauth.token import issue_token

ENDPOINTS: Final[
    Mapping[str, tuple[str, Callable[[AuthorityDependencies, ForwardedCall], Awaitable[EndpointResponse]]]]
] = {
    "/oauth/2.0/authorize": ("GET", authorize),
    "/oauth/2.0/token": ("POST", issue_token),
    "/oauth/2.0/revoke": ("POST", revoke),
}
"""HTTP method and handler of each path."""


def build_endpoints(dependencies: AuthorityDependencies) -> Mapping[str, Endpoint]:
    """Returns the endpoints by path."""

    def refuse(call: ForwardedCall, error: Exception) -> EndpointResponse:
        refusal = to_oauth_refusal(error)
        call.note.reason, call.note.error = refusal.reason, refusal.error
        return build_error_response(refusal)

    return {
        path: Endpoint(method, partial(handler, dependencies), refuse) for path, (method, handler) in ENDPOINTS.items()
    }
