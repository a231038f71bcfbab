"""How individual authentication begins: what 개별인증-001 answers, by the institution's setting (규격 3.2.1)."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from relay.domain.authorization.request import AuthorizationRequest
from relay.endpoint.errors import OAuthRefusal
from relay.oauth.redirects import way_back
from relay.oauth.services import Authority
from relay.policy.settings.directory import Authentication, Provider

PAGES: Final = "/authentication"
"""Below `pages_url`: where a request's pages stand."""

RETURN: Final = f"{PAGES}/return"
"""Below `pages_url`: where an institution of the redirect way sends the customer back to."""

NOT_OFFERED: Final = "개별인증을 제공하지 않는 정보제공자입니다"

Begun = tuple[int, Mapping[str, str], Mapping[str, str] | None]
"""HTTP status, headers, and the JSON body where there is one."""


def begun(authority: Authority, provider: Provider, request: AuthorizationRequest) -> Begun:
    """The answer that sends the customer on their way; `request` is in the ledger already.

    Raises OAuthRefusal server_error when the way lacks what it needs, method_not_allowed when none is offered.
    """
    way = _WAYS.get(provider.authentication)
    if way is None:
        raise OAuthRefusal("method_not_allowed", NOT_OFFERED)
    return way(authority, provider, request)


def _hosted(authority: Authority, _: Provider, request: AuthorizationRequest) -> Begun:
    return 302, {"Location": f"{_pages_url(authority)}{PAGES}/{quote(request.request_id, safe='')}"}, None


def _redirect(authority: Authority, provider: Provider, request: AuthorizationRequest) -> Begun:
    if provider.redirect is None:
        raise _unfit("redirect")
    return 302, {"Location": way_back(provider.redirect.url, request=_request_object(authority, request))}, None


def _request_object(authority: Authority, request: AuthorizationRequest) -> str:
    """What the institution needs to know, signed; never the CI, because a URL is written down everywhere.

    It has no jti and no scope, so that nobody can take it for an access token (RFC 8725 3.12).
    """
    client = authority.office.clients.get(request.client_id)
    now = int(authority.clock())
    claims = {
        "iss": authority.office.relay,
        "aud": request.provider,
        "iat": now,
        "exp": request.expires_at,
        "request_id": request.request_id,
        "client_id": request.client_id,
        "service_name": client.service.name if client else "",
        "api_tran_id": request.api_tran_id,
        "return_url": _pages_url(authority) + RETURN,
    }
    signed, _ = authority.signer.sign(claims, now)
    return signed


def _app(_: Authority, provider: Provider, __: AuthorizationRequest) -> Begun:
    if provider.app is None:
        raise _unfit("app")
    app = provider.app
    body = {
        "org_code": provider.org_code,
        "app_scheme_iOS": app.app_scheme_ios,
        "install_url_iOS": app.install_url_ios,
        "app_scheme_android": app.app_scheme_android,
        "install_url_android": app.install_url_android,
    }
    return 200, {}, body


def _pages_url(authority: Authority) -> str:
    if not authority.office.pages_url:
        raise _unfit("pages_url")
    return authority.office.pages_url


def _unfit(what: str) -> OAuthRefusal:
    return OAuthRefusal("server_error", f"개별인증이 설정되지 않았습니다: {what}", reason="way_unfit")


_WAYS: Final[Mapping[Authentication, Callable[[Authority, Provider, AuthorizationRequest], Begun]]] = {
    Authentication.HOSTED: _hosted,
    Authentication.REDIRECT: _redirect,
    Authentication.APP: _app,
}
