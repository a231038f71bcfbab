"""Changes a response by a failure mode: its JSON fields, its bytes and headers, or how it is sent."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from mydata_sandbox.institution.failure_modes import FAILURE_MODES, InstitutionFailures, find_mode
from relay.domain.api import Api

RETRY_AFTER_S: Final = 1
_TRAN_ID: Final = "x-api-tran-id"
_PAGE: Final = "<!doctype html><html><title>점검</title><h1>잠시 후 다시 이용해 주십시오</h1></html>".encode()
_TEXT: Final = "시스템 점검 중입니다".encode()


@dataclass(frozen=True, slots=True)
class WrittenReply:
    """A response as it is sent: HTTP status, headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def change_fields(how: str, fields: Mapping[str, Any], api: Api, params: Mapping[str, str]) -> Mapping[str, Any]:
    """Returns the JSON fields of a response of `api`, changed by the failure mode `how`."""
    if how not in FAILURE_MODES:
        mode = find_mode(how)
        return {"rsp_code": mode.rsp_code, "rsp_msg": mode.words.partition(": ")[2]}
    rows = next((field.name for field in api.response.body if field.type == "array" and field.name in fields), "")
    count = f"{rows.removesuffix('_list')}_cnt"
    changed = dict(fields)
    if how == "no_rsp_code":
        del changed["rsp_code"]
    elif how == "missing_next_page":
        changed.pop("next_page", None)
    elif how == "endless_pages" and (cursor := params.get("next_page") or fields.get("next_page")):
        changed["next_page"] = cursor
    elif how == "empty_list" and rows:
        changed |= {count: "0", rows: []}
        changed.pop("next_page", None)
    elif how == "wrong_count" and rows:
        changed[count] = str(len(fields[rows]) + 1)
    return changed


def change_bytes(how: str, reply: WrittenReply, fields: Mapping[str, Any]) -> WrittenReply:
    """Returns a response with bytes and headers changed by the failure mode `how`. `fields` are its JSON fields."""
    status, headers, body = reply.status, dict(reply.headers), reply.body
    if how not in FAILURE_MODES:
        status = find_mode(how).status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            headers["Retry-After"] = str(RETRY_AFTER_S)
    elif how == "half_json":
        body = body[: len(body) // 2]
    elif how == "no_json":
        body = _TEXT
    elif how == "html":
        headers["Content-Type"], body = "text/html; charset=UTF-8", _PAGE
    elif how == "euc_kr":
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("cp949", errors="replace")
    elif how == "wrong_tran_id":
        tran_id = headers.get(_TRAN_ID, "")
        headers[_TRAN_ID] = tran_id[:-1] + ("1" if tran_id.endswith("0") else "0")
    elif how == "no_tran_id":
        headers.pop(_TRAN_ID, None)
    return WrittenReply(status, headers, body)


async def send(
    how: str, request: web.Request, reply: WrittenReply, failures: InstitutionFailures
) -> web.StreamResponse:
    """Sends a response: late, in part or not at all, as the failure mode `how` demands."""
    if how == "timeout":
        await asyncio.sleep(failures.silent_s)
        _abort(request)
    elif how == "slow":
        await asyncio.sleep(failures.slow_s)
    elif how in {"reset", "half_answer"}:
        return await _send_part(how, request, reply)
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


async def _send_part(how: str, request: web.Request, reply: WrittenReply) -> web.StreamResponse:
    """Sends the head and, for `half_answer`, half of the body, then ends the connection."""
    answer = web.StreamResponse(status=reply.status, headers={**reply.headers, "Content-Length": str(len(reply.body))})
    await answer.prepare(request)
    await answer.write(reply.body[: len(reply.body) // 2] if how == "half_answer" else b"")
    if how == "half_answer" and request.transport is not None:
        request.transport.close()
    else:
        _abort(request)
    return answer


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
