"""Responses of 개별인증-001 that start a flow: hosted, redirect or app, by institution (규격 3.2.1)."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from relay.domain.authorization.request import AuthorizationRequest
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.redirects import build_callback_url
from relay.policy.settings.directory import AuthenticationMethod, Provider

PAGES_PATH: Final = "/authentication"
"""Path of the pages below `pages_url`."""

RETURN_PATH: Final = f"{PAGES_PATH}/return"
"""Path below `pages_url` to which institutions of the redirect flow return the customer."""

NOT_OFFERED: Final = "개별인증을 제공하지 않는 정보제공자입니다"

FlowResponse = tuple[int, Mapping[str, str], Mapping[str, str] | None]
"""HTTP status, headers, and the JSON body if any."""


def start_flow(dependencies: AuthorityDependencies, provider: Provider, request: AuthorizationRequest) -> FlowResponse:
    """Returns the response that starts the institution's flow. The ledger must hold `request` already.

    Raises OAuthRefusal: server_error when settings are missing, method_not_allowed when no flow is offered.
    """
    start = _FLOWS.get(provider.authentication)
    if start is None:
        raise OAuthRefusal("method_not_allowed", NOT_OFFERED)
    return start(dependencies, provider, request)


def _start_hosted(dependencies: AuthorityDependencies, _: Provider, request: AuthorizationRequest) -> FlowResponse:
    return 302, {"Location": f"{_get_pages_url(dependencies)}{PAGES_PATH}/{quote(request.request_id, safe='')}"}, None


def _start_redirect(
    dependencies: AuthorityDependencies, provider: Provider, request: AuthorizationRequest
) -> FlowResponse:
    if provider.redirect is None:
        raise _not_configured("redirect")
    return (
        302,
        {"Location": build_callback_url(provider.redirect.url, request=_sign_request_object(dependencies, request))},
        None,
    )


def _sign_request_object(dependencies: AuthorityDependencies, request: AuthorizationRequest) -> str:
    """Returns the signed request for the institution. It holds no CI, because URLs are logged everywhere.

    It has no jti and no scope, so that it cannot pass as an access token (RFC 8725 3.12).
    """
    client = dependencies.settings.clients.get(request.client_id)
    now = int(dependencies.clock())
    claims = {
        "iss": dependencies.settings.relay,
        "aud": request.provider,
        "iat": now,
        "exp": request.expires_at,
        "request_id": request.request_id,
        "client_id": request.client_id,
        "service_name": client.service.name if client else "",
        "api_tran_id": request.api_tran_id,
        "return_url": _get_pages_url(dependencies) + RETURN_PATH,
    }
    signed, _ = dependencies.signer.sign(claims, now)
    return signed


def _start_app(_: AuthorityDependencies, provider: Provider, __: AuthorizationRequest) -> FlowResponse:
    if provider.app is None:
        raise _not_configured("app")
    app = provider.app
    body = {
        "org_code": provider.org_code,
        "app_scheme_iOS": app.app_scheme_ios,
        "install_url_iOS": app.install_url_ios,
        "app_scheme_android": app.app_scheme_android,
        "install_url_android": app.install_url_android,
    }
    return 200, {}, body


def _get_pages_url(dependencies: AuthorityDependencies) -> str:
    if not dependencies.settings.pages_url:
        raise _not_configured("pages_url")
    return dependencies.settings.pages_url


def _not_configured(setting: str) -> OAuthRefusal:
    return OAuthRefusal("server_error", f"개별인증이 설정되지 않았습니다: {setting}", reason="way_unfit")


_FLOWS: Final[
    Mapping[AuthenticationMethod, Callable[[AuthorityDependencies, Provider, AuthorizationRequest], FlowResponse]]
] = {
    AuthenticationMethod.HOSTED: _start_hosted,
    AuthenticationMethod.REDIRECT: _start_redirect,
    AuthenticationMethod.APP: _start_app,
}
