"""The OpenAPI 3.1 document of one, several or all groups of APIs."""

from collections.abc import Collection
from typing import Any, Final

from relay.domain.api import Api
from relay.domain.ids import INDUSTRIES
from relay.policy.documents.answers import build_error_components, build_up_to_date_schema
from relay.policy.documents.field_schemas import build_request_schema, build_response_schema
from relay.policy.documents.operations import build_operation
from relay.policy.documents.security import build_security_schemes
from relay.policy.documents.source import GROUPS, OAUTH, PORTAL, SUPPORT, DocumentSource, get_code

Document = dict[str, Any]

OPENAPI_VERSION: Final = "3.1.0"
STANDARD_VERSION: Final = "v1"
_GROUP_NAMES: Final = {
    OAUTH: "인증 API",
    SUPPORT: "지원 API (중계기관)",
    PORTAL: "지원 API (종합포털)",
}
_GROUP_DESCRIPTIONS: Final = {
    OAUTH: "중계기관이 토큰을 발급합니다.",
    SUPPORT: "종합포털이 중계기관을 호출합니다.",
    PORTAL: "종합포털이 제공합니다.",
}
_DESCRIPTION: Final = """\
금융분야 마이데이터 표준 API 규격 v1의 API입니다.
중계기관은 정보제공자의 API를 한 주소에서 제공하며, `org_code`가 정보제공자를 정합니다.

- 모든 값은 JSON 문자열입니다. 목록은 배열입니다. 값이 없는 선택 항목은 보내지 않습니다.
- `x-mydata-type`은 규격 첨부2의 타입과 길이입니다. AH의 길이는 바이트이므로 `x-max-bytes`에도 있습니다.
- 조건부 필수 항목은 `required`에 없습니다. 조건은 항목의 설명에 있습니다.
- 예시는 가상의 기관과 고객의 것입니다."""
_SERVERS: Final[list[Document]] = [
    {
        "url": "https://{relay}",
        "description": "중계기관. TLS 상호인증을 사용합니다.",
        "variables": {"relay": {"default": "relay.example", "description": "중계기관의 도메인"}},
    }
]


def build_openapi(source: DocumentSource, groups: Collection[str] = GROUPS) -> Document:
    """Returns the OpenAPI document of the groups, in the order of `GROUPS`."""
    ordered = [group for group in GROUPS if group in groups]
    paths: dict[str, Document] = {}
    schemas: dict[str, Document] = {}
    for group in ordered:
        _add_group(source, group, paths, schemas)
    if _refers_to(paths, "UpToDate"):
        schemas["UpToDate"] = build_up_to_date_schema(source)
    answers = build_error_components(source)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "마이데이터 표준 API" + _name_groups(source, ordered),
            "version": STANDARD_VERSION,
            "description": _DESCRIPTION,
            "contact": {"name": "중계기관"},
        },
        "servers": _SERVERS,
        "tags": [
            {"name": group, "x-displayName": get_group_title(source, group), "description": _describe_group(group)}
            for group in ordered
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {name: answer for name, answer in answers.items() if _refers_to(paths, name)},
            "securitySchemes": build_security_schemes(source, ordered),
        },
    }


def get_group_title(source: DocumentSource, group: str) -> str:
    """Returns the Korean name of a group."""
    return _GROUP_NAMES[group] if group not in INDUSTRIES else f"{source.get_industry_names()[group]} 업권"


def _describe_group(group: str) -> str:
    return _GROUP_DESCRIPTIONS.get(group, f"마이데이터사업자가 호출합니다. URI의 업권은 `{group}`입니다.")


def _name_groups(source: DocumentSource, groups: list[str]) -> str:
    return f": {', '.join(get_group_title(source, group) for group in groups)}" if len(groups) < len(GROUPS) else ""


def _add_group(source: DocumentSource, group: str, paths: dict[str, Document], schemas: dict[str, Document]) -> None:
    """Adds the operations and schemas of a group. APIs with one path and method are one operation."""
    by_operation: dict[tuple[str, str], list[Api]] = {}
    for api in source.list_apis(group):
        by_operation.setdefault((api.path_for(group), api.method.lower()), []).append(api)
    for (path, method), apis in by_operation.items():
        operations = paths.setdefault(path, {})
        operation = build_operation(source, group, apis)
        if method in operations:
            _join_operation(operations[method], operation)
            continue
        operations[method] = operation
        for api in apis:
            schemas.update(_build_schemas(api))


def _join_operation(operation: Document, other: Document) -> None:
    """Adds the ids, tags and description of an equal operation at another server: 지원-001 at the portal, 지원-101."""
    operation["x-api-ids"] += other["x-api-ids"]
    operation["tags"] += other["tags"]
    operation["description"] += f"\n{other['description']}"
    operation["servers"] = [*_SERVERS, *other["servers"]]


def _build_schemas(api: Api) -> dict[str, Document]:
    """Returns the schemas of an API's bodies by component name."""
    code = get_code(api)
    schemas = {f"{code}_Request": build_request_schema(api)} if api.request.body else {}
    return schemas | ({f"{code}_Response": build_response_schema(api)} if api.response.content_type else {})


def _refers_to(part: Any, name: str) -> bool:
    """Returns whether a part of the document has a reference to the component `name`."""
    if isinstance(part, dict):
        target = part.get("$ref")
        is_reference = isinstance(target, str) and target.endswith(f"/{name}")
        return is_reference or any(_refers_to(value, name) for value in part.values())
    return isinstance(part, list) and any(_refers_to(value, name) for value in part)
