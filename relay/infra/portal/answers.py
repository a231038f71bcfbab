"""What an answer of the portal means: taken, refused, or worth another attempt. Strict JSON, its own call, its code."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from relay.domain.strict_json import read_object
from relay.infra.portal.connection import Heard

THREAD_FROM: Final = 1_048_576
"""An answer of so many bytes is parsed on a thread: the loop has other things to do."""

VALUES_MOST: Final = 3_000_000
"""So many values an answer holds at most: 16 MB of empty lists would be half a gigabyte of memory."""

_RSP_CODE: Final = re.compile(r"[0-9A-Za-z]{5}")
_ERROR: Final = re.compile(r"[a-z_]{1,30}")
_DONE: Final = frozenset({"00000", "00001"})
_MAY_PASS: Final = re.compile(r"5[0-9]{4}|429[0-9]{2}")
"""rsp_codes of what may have passed in a moment (첨부1): the server's own troubles, and too many calls."""
_TOO_MANY: Final = 429
_OK: Final = 200


class Verdict(Enum):
    """What is done with an answer."""

    TAKEN = auto()
    REFUSED = auto()
    AGAIN = auto()
    HOPELESS = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer judged; `outcome` in words without any value. `rsp_code` may be an OAuth error's name."""

    verdict: Verdict
    status: int
    rsp_code: str
    outcome: str
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


GIVEN_UP: Final = Answer(Verdict.HOPELESS, 0, "", "given up")
"""Nobody waited for the answer."""

Lacks = Callable[[Mapping[str, Any]], str]
"""Says in words what the body of a success lacks, "" for nothing."""


def lacks_code(body: Mapping[str, Any]) -> str:
    """Every answer but a token's has an rsp_code."""
    return "" if code_of(body) else "the answer has no rsp_code"


async def judged(heard: Heard, tran_id: str, lacks: Lacks) -> Answer:
    """The answer to the call that went with `tran_id`."""
    if heard.words:
        verdict = Verdict.AGAIN if heard.again else Verdict.HOPELESS
        return Answer(verdict, heard.status, "", heard.words)
    if any(one != tran_id for one in heard.tran_ids):
        return Answer(Verdict.AGAIN, heard.status, "", "the answer names another call")
    body = await _object(heard)
    code = code_of(body)
    if heard.status >= 500 or heard.status == _TOO_MANY:  # noqa: PLR2004 - RFC 9110 15.6
        return Answer(Verdict.AGAIN, heard.status, code, f"HTTP {heard.status}")
    if 400 <= heard.status < 500:  # noqa: PLR2004 - RFC 9110 15.5
        return Answer(Verdict.REFUSED, heard.status, code, "refused")
    if heard.status != _OK:
        return Answer(Verdict.AGAIN, heard.status, "", f"HTTP {heard.status}")
    return _success(body, code, lacks)


def code_of(body: Mapping[str, Any] | None) -> str:
    """The rsp_code of a body, or the `error` of OAuth; "" when it has none that is well-formed."""
    if body is None:
        return ""
    for name, form in (("rsp_code", _RSP_CODE), ("error", _ERROR)):
        value = body.get(name)
        if isinstance(value, str) and form.fullmatch(value):
            return value
    return ""


def _success(body: Mapping[str, Any] | None, code: str, lacks: Lacks) -> Answer:
    if body is None:
        return Answer(Verdict.AGAIN, _OK, "", "the answer is no JSON object")
    if code and code not in _DONE:
        verdict = Verdict.AGAIN if _MAY_PASS.fullmatch(code) else Verdict.REFUSED
        return Answer(verdict, _OK, code, "refused")
    words = lacks(body)
    if words:
        return Answer(Verdict.AGAIN, _OK, code, words)
    return Answer(Verdict.TAKEN, _OK, code, "ok", body)


async def _object(heard: Heard) -> Mapping[str, Any] | None:
    if heard.content_type != "application/json" or _holds_too_much(heard.content):
        return None
    try:
        if len(heard.content) < THREAD_FROM:
            return read_object(heard.content)
        return await asyncio.to_thread(read_object, heard.content)
    except ValueError:
        return None


def _holds_too_much(content: bytes) -> bool:
    """Whether there are more values than any list has. Each one begins an object or list, or stands behind a comma."""
    return len(content) > VALUES_MOST and sum(map(content.count, (b"{", b"[", b","))) > VALUES_MOST
