"""Operations of the OpenAPI document: parameters, bodies, answers and security of one path and method."""

from collections.abc import Sequence
from typing import Any, Final

from relay.domain.api import Api, Field, Presence
from relay.domain.ids import INDUSTRIES, TRAN_ID_FORM
from relay.policy.documents.answers import (
    JSON_TYPE,
    TRAN_ID_HEADER,
    TRAN_ID_PATTERN,
    describe_redirect_errors,
    list_error_answers,
)
from relay.policy.documents.field_schemas import build_field_schema
from relay.policy.documents.source import OAUTH, PORTAL, DocumentSource, Example, get_code

Part = dict[str, Any]

MUTUAL_TLS: Final = "mutualTLS"
ACCESS_TOKEN: Final = "accessToken"  # noqa: S105 - the name of a scheme
SUPPORT_TOKEN: Final = "supportToken"  # noqa: S105 - the name of a scheme
TRAN_ID_EXAMPLE: Final = "ZOPA000001M00000000000001"
_TRAN_ID: Final = "x-api-tran-id"
_AUTHORIZATION: Final = "Authorization"
_AUTHORIZE_CODE: Final = "AU01"
_TIMESTAMP: Final = "search_timestamp"
_HEADER_EXAMPLES: Final = {_TRAN_ID: TRAN_ID_EXAMPLE, "x-api-type": "user-refresh", "x-user-ci": "Q0k="}
PORTAL_SERVERS: Final[list[Part]] = [
    {
        "url": "https://{portal}",
        "description": "종합포털. 중계기관이 호출하는 API입니다.",
        "variables": {"portal": {"default": "portal.example", "description": "종합포털이 안내한 도메인"}},
    }
]


def build_operation(source: DocumentSource, group: str, apis: Sequence[Api]) -> Part:
    """Returns the operation of the APIs that share a path and a method in a group: 3 kinds of tokens share one."""
    first = apis[0]
    codes = [get_code(api) for api in apis]
    operation: Part = {
        "operationId": "-".join([group, *codes] if group in INDUSTRIES else codes),
        "summary": " / ".join(dict.fromkeys(api.name for api in apis)),
        "description": "\n".join(_describe_api(api, group) for api in apis),
        "tags": [group],
        "x-api-ids": [api.api_id for api in apis],
        "security": [_build_security(first, group)],
        "parameters": _build_parameters(first, source.get_example(first, group)),
    }
    if group == PORTAL:
        operation["servers"] = PORTAL_SERVERS
    if first.request.body:
        operation["requestBody"] = _build_body(source, group, apis)
    endpoint = _get_endpoint(apis, group)
    operation["responses"] = _build_success(source, group, apis) | list_error_answers(source, endpoint)
    return operation


def _describe_api(api: Api, group: str) -> str:
    """Returns a line about an API: its ids, and for a data API its scope, cycle, period and date of offering."""
    parts = [f"**{api.api_id}** ({get_code(api)}) {api.name}."]
    if api.scope:
        parts.append(f"권한 범위: `{api.scope_for(group)}`.")
    if api.cycle:
        parts.append(f"정기적 전송주기: {'기본' if api.cycle == 'basic' else '추가'}.")
    if api.period:
        longest = (
            f"{api.period.scheduled_months}개월" if api.period.scheduled_months else f"{api.period.scheduled_days}일"
        )
        parts.append(f"정기적 전송의 조회 기간은 {longest}까지이며, {api.period.start}는 {api.period.end} 이전입니다.")
    if group in api.later:
        parts.append("이 업권은 추후 제공합니다.")
    return " ".join(parts)


def _get_endpoint(apis: Sequence[Api], group: str) -> str:
    """Returns the table of OAuth errors that an operation has, "" for rsp_codes."""
    if get_code(apis[0]) == _AUTHORIZE_CODE:
        return "authorize"
    return "token" if group == OAUTH or apis[0].resource.endswith("/token") else ""


def _build_security(api: Api, group: str) -> Part:
    if not any(field.name == _AUTHORIZATION for field in api.request.header):
        return {MUTUAL_TLS: []}
    return {MUTUAL_TLS: [], ACCESS_TOKEN if group in INDUSTRIES else SUPPORT_TOKEN: [api.scope_for(group)]}


def _build_parameters(api: Api, example: Example | None) -> list[Part]:
    """Returns header, path and query parameters. The access token is in the security of the operation."""
    values = {**_HEADER_EXAMPLES, **(example.request if example else {})}
    places = (("header", api.request.header), ("path", api.request.path), ("query", api.request.query))
    return [
        _build_parameter(place, field, values.get(field.name))
        for place, fields in places
        for field in fields
        if field.name != _AUTHORIZATION
    ]


def _build_parameter(place: str, field: Field, value: Any) -> Part:
    schema = build_field_schema(field)
    if field.name == _TRAN_ID:
        schema |= {"pattern": TRAN_ID_PATTERN, "minLength": 25, "description": TRAN_ID_FORM}
    parameter: Part = {
        "name": field.name,
        "in": place,
        "required": field.presence is Presence.REQUIRED,
        "description": " ".join([f"{field.label}.", schema.pop("description", "")]).strip(),
        "schema": schema,
    }
    if value is not None:
        parameter["example"] = value
    return parameter


def _build_body(source: DocumentSource, group: str, apis: Sequence[Api]) -> Part:
    names = [f"{get_code(api)}_Request" for api in apis]
    schema = _refer(names[0])
    if len(set(_get_grant_types(apis))) > 1:
        mapping = dict(zip(_get_grant_types(apis), (_refer(name)["$ref"] for name in names), strict=True))
        schema = {"oneOf": [_refer(name) for name in names]} | {
            "discriminator": {"propertyName": "grant_type", "mapping": mapping}
        }
    content: Part = {"schema": schema}
    examples = {
        get_code(api): {"summary": api.name, "value": dict(example.request)}
        for api in apis
        if (example := source.get_example(api, group)) is not None
    }
    return {
        "required": True,
        "content": {apis[0].request.content_type: content | ({"examples": examples} if examples else {})},
    }


def _get_grant_types(apis: Sequence[Api]) -> list[str]:
    codes = [
        next((list(field.codes) for field in api.request.body if field.name == "grant_type"), [""]) for api in apis
    ]
    return [values[0] for values in codes]


def _build_success(source: DocumentSource, group: str, apis: Sequence[Api]) -> dict[str, Part]:
    if get_code(apis[0]) == _AUTHORIZE_CODE:
        return {"302": _build_redirect(source, apis[0])}
    names = [f"{get_code(api)}_Response" for api in apis]
    fields = {field.name for api in apis for field in (*api.request.query, *api.request.body)}
    if _TIMESTAMP in fields:
        names.append("UpToDate")
    schema = _refer(names[0]) if len(names) == 1 else {"anyOf": [_refer(name) for name in names]}
    content: Part = {"schema": schema}
    examples = {
        get_code(api): {"summary": api.name, "value": dict(example.response)}
        for api in apis
        if (example := source.get_example(api, group)) is not None
    }
    return {
        "200": {
            "description": "성공",
            "headers": {_TRAN_ID: TRAN_ID_HEADER | {"required": True}},
            "content": {JSON_TYPE: content | ({"examples": examples} if examples else {})},
        }
    }


def _build_redirect(source: DocumentSource, api: Api) -> Part:
    """Returns the answer of 개별인증-001: the customer's page, which later redirects to the operator."""
    names = ", ".join(f"{field.name} ({field.label})" for field in api.response.body)
    return {
        "description": "Location은 정보주체가 인증하고 전송요구를 하는 페이지입니다. "
        f"페이지는 redirect_uri에 쿼리 파라미터 {names}를 전달합니다. {describe_redirect_errors(source)}",
        "headers": {
            _TRAN_ID: TRAN_ID_HEADER,
            "Location": {"description": "이동할 주소", "required": True, "schema": {"type": "string"}},
        },
    }


def _refer(name: str) -> Part:
    return {"$ref": f"#/components/schemas/{name}"}
