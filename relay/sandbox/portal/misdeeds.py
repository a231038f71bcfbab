"""How the pretended portal misbehaves when it is told to: which call gets what, how often."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from relay.domain.registry import OrgType
from relay.sandbox.portal.desk import SERVED, TOKEN
from relay.sandbox.portal.rows import DELETED

HUGE_BYTES: Final = 50_000_000
LISTS: Final = frozenset({"지원-002", "지원-003", "지원-006"})
_ORGANISATIONS: Final = frozenset({"지원-002", "지원-006"})
_ALL: Final = frozenset(SERVED)

HOWS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "slow": ("answers, but late", _ALL),
    "error_500": ("HTTP 500, nothing taken", _ALL),
    "garbage": ("takes the call and answers what is no JSON", _ALL),
    "html": ("takes the call and answers a page", _ALL),
    "token_expired": ("40101: the token is over", _ALL - {TOKEN}),
    "half_list": ("the second half of the list is missing, the count is not", LISTS),
    "mass_deletion": ("nearly everybody is gone", LISTS),
    "doubled": ("the first row stands twice", LISTS),
    "unknown_org_type": ("an org_type nobody knows", _ORGANISATIONS),
    "missing_serial": ("an operator without serial_num", frozenset({"지원-002"})),
    "huge": ("takes the call and answers 50 MB", _ALL),
    "wrong_tran_id": ("takes the call and answers with another x-api-tran-id", _ALL),
    "reset": ("takes the call and hangs up in the middle of the answer", _ALL),
}
"""How -> what it means, and at which APIs."""

Rows = Sequence[Mapping[str, Any]]


class Unfit(ValueError):
    """There is no such misdeed, API or number; says what there is."""


class Misdeeds:
    """What was asked for and is not done yet, by API, in its order."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[str]] = {}

    def plan(self, api_id: str, how: str, times: int) -> None:
        """The next `times` calls of `api_id` are answered like this, after what was planned before. Raises Unfit."""
        if how not in HOWS:
            raise Unfit(f"how is one of {', '.join(HOWS)}")
        if api_id not in HOWS[how][1]:
            raise Unfit(f"{how} is for {', '.join(sorted(HOWS[how][1]))}")
        if times < 1:
            raise Unfit("times is 1 or more")
        self._waiting.setdefault(api_id, deque()).extend([how] * times)

    def behave(self) -> None:
        """Nothing of what is planned is done."""
        self._waiting.clear()

    def next(self, api_id: str) -> str:
        """How this call is answered: "" for as it should be."""
        waiting = self._waiting.get(api_id)
        return waiting.popleft() if waiting else ""

    def planned(self) -> Mapping[str, Sequence[str]]:
        """What is still to be done, by API."""
        return {api_id: tuple(waiting) for api_id, waiting in self._waiting.items() if waiting}


def spoilt(how: str, body: Mapping[str, Any], everything: Rows, *, whole: bool) -> Mapping[str, Any]:
    """The body of a list as the misdeed has it; other misdeeds leave it alone.

    `everything` is the full list, which a short one is spoilt with, because who asks for what changed hears of nobody.
    `whole` is whether the full list was asked for.
    """
    change = _SPOILERS.get(how)
    return body if change is None else {**body, **change(list(everything), whole)}


def huge(body: Mapping[str, Any], least: int = HUGE_BYTES) -> bytes:
    """JSON of at least so many bytes: a list with its first row over and over, any other body with blanks."""
    rows = body.get("org_list")
    if not rows:
        text = json.dumps(body, ensure_ascii=False).encode()
        return text[:1] + b" " * (least - len(text)) + text[1:]
    row = json.dumps(rows[0], ensure_ascii=False).encode()
    count = least // len(row) + 1
    head = json.dumps({**body, "org_cnt": str(count), "org_list": []}, ensure_ascii=False).encode()
    return head.replace(b"[]", b"[" + b",".join([row] * count) + b"]")


def _half(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    return {"org_cnt": str(len(rows)), "org_list": rows[: len(rows) // 2]}


def _gone(rows: list[Mapping[str, Any]], whole: bool) -> dict[str, Any]:
    """A full load in which the first institution alone is left, and no service; otherwise everything deleted."""
    left = [_deleted(row) for row in rows] if not whole else [row for row in rows[:1] if "service_list" not in row]
    return {"org_cnt": str(len(left)), "org_list": left}


def _deleted(row: Mapping[str, Any]) -> Mapping[str, Any]:
    services = row.get("service_list")
    if services is None:
        return {"op_type": DELETED, "org_code": row["org_code"], "org_type": row["org_type"]}
    gone = [{name: one[name] for name in ("service_name", "client_id")} | {"op_type": DELETED} for one in services]
    return {**row, "service_list": gone}


def _doubled(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    return {"org_cnt": str(len(rows) + 1), "org_list": [*rows[:1], *rows]}


def _unknown_type(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    return {"org_cnt": str(len(rows)), "org_list": [{**rows[0], "org_type": "08"}, *rows[1:]]}


def _without_serial(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    at = next(at for at, row in enumerate(rows) if row["org_type"] == OrgType.OPERATOR.value)
    lacking = {name: value for name, value in rows[at].items() if name != "serial_num"}
    return {"org_cnt": str(len(rows)), "org_list": [*rows[:at], lacking, *rows[at + 1 :]]}


_SPOILERS: Final[Mapping[str, Callable[[list[Mapping[str, Any]], bool], dict[str, Any]]]] = {
    "half_list": _half,
    "mass_deletion": _gone,
    "doubled": _doubled,
    "unknown_org_type": _unknown_type,
    "missing_serial": _without_serial,
}
