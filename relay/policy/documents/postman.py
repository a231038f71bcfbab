"""A Postman collection (format 2.1): one folder for each group of APIs, one request with its example for each API."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from relay.domain.api import Api, Field
from relay.domain.ids import INDUSTRIES
from relay.policy.documents.openapi import get_group_title
from relay.policy.documents.source import GROUPS, PORTAL, DocumentSource, get_code

Part = dict[str, Any]

FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_FORM: Final = "application/x-www-form-urlencoded"
_AUTHORIZATION: Final = "Authorization"
_VARIABLES: Final = {
    "relay": "https://relay.example",
    "portal": "https://portal.example",
    "operator": "ZOPA000001",
    "subject": "M",
    "access_token": "",
    "support_token": "",
}
"""Variables of the collection. `operator` is the org_code of the caller, `subject` its 주체구분코드 (첨부14)."""

_NEW_TRAN_ID: Final = (
    "const caller = pm.variables.get('operator') + pm.variables.get('subject');",
    "pm.variables.set('tran_id', caller + String(Date.now()).padStart(14, '0'));",
)
"""Sets x-api-tran-id before each request."""

_HEADERS: Final = {"x-api-tran-id": "{{tran_id}}", "x-api-type": "user-refresh"}


def build_postman(source: DocumentSource, groups: Collection[str] = GROUPS) -> Part:
    """Returns the collection. Postman sends the client certificate that its settings have for the relay's domain."""
    folders = [
        {
            "name": get_group_title(source, group),
            "item": [_build_item(source, group, api) for api in source.list_apis(group)],
        }
        for group in GROUPS
        if group in groups
    ]
    return {
        "info": {"name": "마이데이터 표준 API", "schema": FORMAT},
        "event": [{"listen": "prerequest", "script": {"type": "text/javascript", "exec": list(_NEW_TRAN_ID)}}],
        "variable": [{"key": name, "value": value} for name, value in _VARIABLES.items()],
        "item": folders,
    }


def _build_item(source: DocumentSource, group: str, api: Api) -> Part:
    example = source.get_example(api, group)
    values = example.request if example else {}
    request: Part = {
        "method": api.method,
        "header": _build_headers(api, values),
        "url": _build_url(api, group, values),
        "description": f"{api.api_id} ({get_code(api)})",
        "auth": _build_auth(api, group),
    }
    if api.request.body:
        request["body"] = _build_body(api, values)
    item: Part = {"name": f"{get_code(api)} {api.name}", "request": request, "response": []}
    if example and api.response.content_type:
        item["response"] = [_build_response(request, example.response)]
    return item


def _build_headers(api: Api, values: Mapping[str, Any]) -> list[Part]:
    rows = {field.name: _HEADERS.get(field.name, values.get(field.name, "")) for field in api.request.header}
    rows.pop(_AUTHORIZATION, None)
    if api.request.content_type:
        rows["Content-Type"] = api.request.content_type
    return [{"key": name, "value": value} for name, value in rows.items()]


def _build_auth(api: Api, group: str) -> Part:
    if not any(field.name == _AUTHORIZATION for field in api.request.header):
        return {"type": "noauth"}
    name = "access_token" if group in INDUSTRIES else "support_token"
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{name}}}}}", "type": "string"}]}


def _build_url(api: Api, group: str, values: Mapping[str, Any]) -> Part:
    """Returns the URL with its parts; `{card_id}` becomes the path variable `:card_id`."""
    host = "{{portal}}" if group == PORTAL else "{{relay}}"
    path = api.path_for(group).replace("{", ":").replace("}", "")
    query = [_build_value(field, values) for field in api.request.query]
    text = "&".join(f"{row['key']}={row['value']}" for row in query if not row.get("disabled"))
    url: Part = {"raw": f"{host}{path}" + (f"?{text}" if text else ""), "host": [host], "path": path.split("/")[1:]}
    if query:
        url["query"] = query
    if api.request.path:
        url["variable"] = [{"key": field.name, "value": values.get(field.name, "")} for field in api.request.path]
    return url


def _build_value(field: Field, values: Mapping[str, Any]) -> Part:
    """Returns a parameter; one that the example does not have is disabled."""
    row: Part = {"key": field.name, "value": values.get(field.name, ""), "description": field.label}
    return row if field.name in values else row | {"disabled": True}


def _build_body(api: Api, values: Mapping[str, Any]) -> Part:
    if api.request.content_type == _FORM:
        return {"mode": "urlencoded", "urlencoded": [_build_value(field, values) for field in api.request.body]}
    names = {field.name for field in api.request.body}
    raw = _write_json({name: value for name, value in values.items() if name in names})
    return {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}


def _build_response(request: Part, body: Mapping[str, Any]) -> Part:
    return {
        "name": "성공",
        "originalRequest": request,
        "status": "OK",
        "code": 200,
        "header": [{"key": "Content-Type", "value": "application/json; charset=UTF-8"}],
        "body": _write_json(body),
        "_postman_previewlanguage": "json",
    }


def _write_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
