"""Error answers and headers of the documents: each status with its rsp_codes (첨부1) or OAuth errors (규격 5장)."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from relay.domain.api import UP_TO_DATE
from relay.domain.fault import FAULTS
from relay.domain.ids import TRAN_ID_FORM
from relay.policy.documents.source import DocumentSource

Part = dict[str, Any]

JSON_TYPE: Final = "application/json; charset=UTF-8"
MAX_MESSAGE_BYTES: Final = 450
TRAN_ID_PATTERN: Final = "^[0-9A-Z]{10}[MSRCPA][0-9A-Z]{14}$"
"""거래고유번호 (첨부14), as `relay.domain.ids.is_tran_id` accepts it."""

_OK: Final = 200
_FOUND: Final = 302
_METHOD_NOT_ALLOWED: Final = 405
_RETRIED_LATER: Final = frozenset({429, 503})
_NOT_SENT: Final = frozenset(
    {
        *("operator_gone", "operator_slow"),
        *("answer_without_code", "answer_charset", "code_unknown", "code_contradicts_status"),
    }
)
"""Faults that are recorded but are no response."""

_MESSAGE: Final[Part] = {
    "type": "string",
    "title": "세부 응답메시지",
    "description": "AH(450): 문자열, 길이는 UTF-8 바이트 수.",
    "minLength": 1,
    "maxLength": MAX_MESSAGE_BYTES,
    "x-max-bytes": MAX_MESSAGE_BYTES,
}
TRAN_ID_HEADER: Final[Part] = {
    "description": "요청의 x-api-tran-id와 같은 값입니다.",
    "schema": {"type": "string", "pattern": TRAN_ID_PATTERN, "description": TRAN_ID_FORM},
}
_RETURNED_TRAN_ID: Final[Part] = {
    "description": "요청의 x-api-tran-id. 요청에 없거나 ASCII 64자를 넘으면 빈 값입니다.",
    "schema": {"type": "string", "maxLength": 64},
}
"""The header of errors, whose request may have no valid 거래고유번호."""

_RETRY_AFTER: Final[Part] = {"description": "다시 요청할 수 있는 때까지의 초.", "schema": {"type": "string"}}
_ALLOW: Final[Part] = {"description": "허용되는 HTTP Method.", "schema": {"type": "string"}}


def build_error_components(source: DocumentSource) -> dict[str, Part]:
    """Returns the components `responses`: `Error400` and others of rsp_codes, `TokenError400` and others of OAuth."""
    by_status: dict[int, list[str]] = {}
    for code, (status, _) in source.rsp_codes.items():
        if status != _OK:
            by_status.setdefault(status, []).append(code)
    answers = {f"Error{status}": _build_error(source, status, codes) for status, codes in sorted(by_status.items())}
    for endpoint in source.oauth_errors:
        for status, errors in _group_oauth_errors(source, endpoint).items():
            if status != _FOUND:
                answers[f"{endpoint.title()}Error{status}"] = _build_oauth_error(status, errors)
    return answers


def list_error_answers(source: DocumentSource, endpoint: str = "") -> dict[str, Part]:
    """Returns references to the error answers of an API by status; `endpoint` is that of an OAuth API."""
    if endpoint:
        statuses = _group_oauth_errors(source, endpoint)
        names = {status: f"{endpoint.title()}Error{status}" for status in statuses if status != _FOUND}
    else:
        names = {status: f"Error{status}" for status, _ in source.rsp_codes.values() if status != _OK}
    return {str(status): {"$ref": f"#/components/responses/{names[status]}"} for status in sorted(names)}


def describe_redirect_errors(source: DocumentSource) -> str:
    """Returns the sentence about errors that 개별인증-001 sends to the redirect_uri."""
    errors = _group_oauth_errors(source, "authorize").get(_FOUND, {})
    rows = "".join(f"\n- `{error}`: {'; '.join(causes)}" for error, causes in errors.items())
    return f"오류는 redirect_uri의 쿼리 파라미터 error, error_description, state, api_tran_id로 전달합니다.{rows}"


def build_up_to_date_schema(source: DocumentSource) -> Part:
    """Returns the schema of the response without data: nothing changed since `search_timestamp` (규격 1.7)."""
    return {
        "type": "object",
        "title": "변경 없음 (UP_TO_DATE)",
        "properties": {
            "rsp_code": {"type": "string", "enum": [UP_TO_DATE], "description": source.rsp_codes[UP_TO_DATE][1]},
            "rsp_msg": _MESSAGE,
        },
        "required": ["rsp_code", "rsp_msg"],
    }


def list_messages(source: DocumentSource, code: str) -> list[str]:
    """Returns the texts that the relay writes for an rsp_code, or its meaning when only institutions send it."""
    faults = FAULTS.values()
    texts = dict.fromkeys(fault.words for fault in faults if fault.rsp_code == code and fault.name not in _NOT_SENT)
    return list(texts) or [source.rsp_codes[code][1]]


def _build_error(source: DocumentSource, status: int, codes: Iterable[str]) -> Part:
    meanings = {code: source.rsp_codes[code][1] for code in codes}
    examples = {
        code: {"summary": meaning, "value": {"rsp_code": code, "rsp_msg": list_messages(source, code)[0]}}
        for code, meaning in meanings.items()
    }
    rows = "".join(
        f"\n- `{code}` {meaning}" + "".join(f"\n    - {text}" for text in list_messages(source, code))
        for code, meaning in meanings.items()
    )
    schema = {
        "type": "object",
        "properties": {
            "rsp_code": {"type": "string", "title": "세부 응답코드", "enum": list(meanings)},
            "rsp_msg": _MESSAGE,
        },
        "required": ["rsp_code", "rsp_msg"],
    }
    return _build_answer(status, f"세부 응답코드와 중계기관의 세부 응답메시지:\n{rows}", schema, examples)


def _build_oauth_error(status: int, errors: Mapping[str, list[str]]) -> Part:
    examples = {
        error: {"summary": "; ".join(causes), "value": {"error": error, "error_description": causes[0]}}
        for error, causes in errors.items()
    }
    rows = "".join(f"\n- `{error}`: {'; '.join(causes)}" for error, causes in errors.items())
    schema = {
        "type": "object",
        "properties": {
            "error": {"type": "string", "title": "오류", "enum": list(errors), "maxLength": 30},
            "error_description": _MESSAGE | {"title": "오류 설명"},
        },
        "required": ["error"],
    }
    return _build_answer(status, f"OAuth 오류 (RFC 6749, 규격 5장):\n{rows}", schema, examples)


def _build_answer(status: int, description: str, schema: Part, examples: Part) -> Part:
    headers = {"x-api-tran-id": _RETURNED_TRAN_ID}
    if status in _RETRIED_LATER:
        headers["Retry-After"] = _RETRY_AFTER
    if status == _METHOD_NOT_ALLOWED:
        headers["Allow"] = _ALLOW
    return {
        "description": description,
        "headers": headers,
        "content": {JSON_TYPE: {"schema": schema, "examples": examples}},
    }


def _group_oauth_errors(source: DocumentSource, endpoint: str) -> dict[int, dict[str, list[str]]]:
    """Returns the causes of the errors of an endpoint by HTTP status and error."""
    by_status: dict[int, dict[str, list[str]]] = {}
    for error, status, cause in source.oauth_errors[endpoint]:
        by_status.setdefault(status, {}).setdefault(error, []).append(cause)
    return dict(sorted(by_status.items()))
