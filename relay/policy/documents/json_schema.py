"""The JSON Schemas of all request and response bodies, in one document."""

from collections.abc import Collection
from typing import Any, Final

from relay.policy.documents.field_schemas import build_request_schema, build_response_schema
from relay.policy.documents.source import GROUPS, DocumentSource, get_code

Document = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def build_json_schema(source: DocumentSource, groups: Collection[str] = GROUPS) -> Document:
    """Returns a schema whose `$defs` are the bodies of the groups: `BA01_Request`, `BA01_Response`.

    A GET has no `_Request`. Its parameters, and those of path and header, are in the OpenAPI document.
    """
    apis = {get_code(api): api for group in GROUPS if group in groups for api in source.list_apis(group)}
    schemas: dict[str, Document] = {}
    for code, api in apis.items():
        if api.request.body:
            schemas[f"{code}_Request"] = build_request_schema(api)
        schemas[f"{code}_Response"] = build_response_schema(api)
    return {"$schema": DIALECT, "title": "마이데이터 표준 API의 요청과 응답", "$defs": schemas}
