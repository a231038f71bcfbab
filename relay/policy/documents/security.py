"""Security schemes of the OpenAPI document: mutual TLS and access tokens with their scopes (규격 2.2, 3.1)."""

from collections.abc import Iterable
from typing import Any, Final

from relay.domain.ids import INDUSTRIES
from relay.policy.documents.operations import ACCESS_TOKEN, MUTUAL_TLS, SUPPORT_TOKEN
from relay.policy.documents.source import DocumentSource

Part = dict[str, Any]

_TOKEN_PATH: Final = "/oauth/2.0/token"  # noqa: S105 - a path
_MUTUAL_TLS: Final[Part] = {
    "type": "mutualTLS",
    "description": "인증서의 SERIALNUMBER와 IP 주소는 종합포털에 등록된 것이어야 합니다 (규격 3.1).",
}


def build_security_schemes(source: DocumentSource, groups: Iterable[str]) -> dict[str, Part]:
    """Returns the schemes that the APIs of the groups need; a scope is described by its APIs."""
    schemes = {MUTUAL_TLS: _MUTUAL_TLS}
    data_scopes, support_scopes = dict[str, str](), dict[str, str]()
    for group in groups:
        scopes = data_scopes if group in INDUSTRIES else support_scopes
        for scope, api_ids in _list_scopes(source, group).items():
            scopes[scope] = ", ".join(filter(None, (scopes.get(scope), *api_ids)))
    if data_scopes:
        schemes[ACCESS_TOKEN] = _build_access_token(data_scopes)
    if support_scopes:
        schemes[SUPPORT_TOKEN] = _build_support_token(support_scopes)
    return schemes


def _list_scopes(source: DocumentSource, group: str) -> dict[str, list[str]]:
    """Returns the api_ids of a group by scope."""
    scopes: dict[str, list[str]] = {}
    for api in source.list_apis(group):
        if api.scope:
            scopes.setdefault(api.scope_for(group), []).append(api.api_id)
    return scopes


def _build_access_token(scopes: Part) -> Part:
    return {
        "type": "oauth2",
        "description": "헤더 Authorization의 접근토큰. 개별인증은 authorizationCode, 통합인증은 password입니다.",
        "flows": {
            "authorizationCode": {
                "authorizationUrl": "/oauth/2.0/authorize",
                "tokenUrl": _TOKEN_PATH,
                "refreshUrl": _TOKEN_PATH,
                "scopes": scopes,
            },
            "password": {"tokenUrl": _TOKEN_PATH, "refreshUrl": _TOKEN_PATH, "scopes": scopes},
        },
    }


def _build_support_token(scopes: Part) -> Part:
    return {
        "type": "oauth2",
        "description": "헤더 Authorization의 접근토큰: 지원-001, 지원-101로 발급합니다.",
        "flows": {"clientCredentials": {"tokenUrl": f"/mgmts{_TOKEN_PATH}", "scopes": scopes}},
    }
