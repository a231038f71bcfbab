"""Judges responses of the portal: accepted, refused or to be retried. Checks strict JSON, tran_id and rsp_code."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from relay.domain.api import SUCCESS_CODES
from relay.domain.strict_json import read_object
from relay.infra.portal.connection import RawResponse

MIN_THREAD_BYTES: Final = 1_048_576
"""A response of this size in bytes is parsed on a thread, so that the event loop is not blocked."""

MAX_VALUES: Final = 3_000_000
"""Maximum number of JSON values in a response: 16 MB of empty lists would take half a gigabyte of memory."""

_RSP_CODE: Final = re.compile(r"[0-9A-Za-z]{5}")
_ERROR: Final = re.compile(r"[a-z_]{1,30}")
_TRANSIENT: Final = re.compile(r"5[0-9]{4}|429[0-9]{2}")
"""rsp_codes of temporary errors (첨부1): server errors and too many calls."""
_TOO_MANY: Final = 429
_OK: Final = 200


class Verdict(Enum):
    """How a response is handled."""

    ACCEPTED = auto()
    REFUSED = auto()
    RETRY = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Response:
    """A judged response. `outcome` describes it without values; `rsp_code` may be the name of an OAuth error."""

    verdict: Verdict
    status: int
    rsp_code: str
    outcome: str
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


CANCELLED: Final = Response(Verdict.FAILED, 0, "", "given up")
"""The call was cancelled before its response."""

BodyCheck = Callable[[Mapping[str, Any]], str]
"""Returns what is missing in the body of a success, "" for nothing."""


def check_rsp_code(body: Mapping[str, Any]) -> str:
    """Checks the rsp_code, which every response has except the token's."""
    return "" if find_code(body) else "the answer has no rsp_code"


async def judge_response(raw: RawResponse, tran_id: str, check_body: BodyCheck) -> Response:
    """Judges the response to the call with this `tran_id`."""
    if raw.problem:
        verdict = Verdict.RETRY if raw.is_retryable else Verdict.FAILED
        return Response(verdict, raw.status, "", raw.problem)
    if any(other != tran_id for other in raw.tran_ids):
        return Response(Verdict.RETRY, raw.status, "", "the answer names another call")
    body = await _parse_object(raw)
    code = find_code(body)
    if raw.status >= 500 or raw.status == _TOO_MANY:  # noqa: PLR2004 - RFC 9110 15.6
        return Response(Verdict.RETRY, raw.status, code, f"HTTP {raw.status}")
    if 400 <= raw.status < 500:  # noqa: PLR2004 - RFC 9110 15.5
        return Response(Verdict.REFUSED, raw.status, code, "refused")
    if raw.status != _OK:
        return Response(Verdict.RETRY, raw.status, "", f"HTTP {raw.status}")
    return _judge_success(body, code, check_body)


def find_code(body: Mapping[str, Any] | None) -> str:
    """Returns the rsp_code of a body or its OAuth `error`; "" if none is well-formed."""
    if body is None:
        return ""
    for name, pattern in (("rsp_code", _RSP_CODE), ("error", _ERROR)):
        value = body.get(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
    return ""


def _judge_success(body: Mapping[str, Any] | None, code: str, check_body: BodyCheck) -> Response:
    if body is None:
        return Response(Verdict.RETRY, _OK, "", "the answer is not a JSON object")
    if code and code not in SUCCESS_CODES:
        verdict = Verdict.RETRY if _TRANSIENT.fullmatch(code) else Verdict.REFUSED
        return Response(verdict, _OK, code, "refused")
    problem = check_body(body)
    if problem:
        return Response(Verdict.RETRY, _OK, code, problem)
    return Response(Verdict.ACCEPTED, _OK, code, "ok", body)


async def _parse_object(raw: RawResponse) -> Mapping[str, Any] | None:
    if raw.content_type != "application/json" or _has_too_many_values(raw.content):
        return None
    try:
        if len(raw.content) < MIN_THREAD_BYTES:
            return read_object(raw.content)
        return await asyncio.to_thread(read_object, raw.content)
    except ValueError:
        return None


def _has_too_many_values(content: bytes) -> bool:
    """Returns whether there may be too many values. Each opens an object or list, or follows a comma."""
    return len(content) > MAX_VALUES and sum(map(content.count, (b"{", b"[", b","))) > MAX_VALUES
