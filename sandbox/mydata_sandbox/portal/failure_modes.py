"""Failure modes of the simulated portal: planned failures of calls, and invalid responses."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mydata_sandbox.portal.rows import DELETED
from mydata_sandbox.portal.service import SERVED, TOKEN
from relay.domain.registry import OrgType

HUGE_BYTES: Final = 50_000_000
LISTS: Final = frozenset({"지원-002", "지원-003", "지원-006"})
_ORGANISATIONS: Final = frozenset({"지원-002", "지원-006"})
_ALL: Final = frozenset(SERVED)

FAILURE_MODES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "slow": ("the response is delayed", _ALL),
    "error_500": ("HTTP 500, the call has no effect", _ALL),
    "garbage": ("accepts the call, the response is not JSON", _ALL),
    "html": ("accepts the call, the response is an HTML page", _ALL),
    "token_expired": ("40101: the token has expired", _ALL - {TOKEN}),
    "half_list": ("the second half of the list is missing, the count is complete", LISTS),
    "mass_deletion": ("nearly all rows are deleted", LISTS),
    "doubled": ("the first row occurs twice", LISTS),
    "unknown_org_type": ("an unknown org_type", _ORGANISATIONS),
    "missing_serial": ("an operator without serial_num", frozenset({"지원-002"})),
    "huge": ("accepts the call, the response has 50 MB", _ALL),
    "wrong_tran_id": ("accepts the call, the response has another x-api-tran-id", _ALL),
    "reset": ("accepts the call, the connection is reset within the response", _ALL),
}
"""Failure mode -> description and APIs."""

Rows = Sequence[Mapping[str, Any]]


class InvalidCommand(ValueError):
    """The failure mode, API or number is invalid. The message has the valid values."""


class FailurePlan:
    """Planned failures by API, in order."""

    def __init__(self) -> None:
        self._planned: dict[str, deque[str]] = {}

    def plan(self, api_id: str, how: str, times: int) -> None:
        """Fails the next `times` calls of `api_id`, after failures planned earlier. Raises InvalidCommand."""
        if how not in FAILURE_MODES:
            raise InvalidCommand(f"how is one of {', '.join(FAILURE_MODES)}")
        if api_id not in FAILURE_MODES[how][1]:
            raise InvalidCommand(f"{how} is for {', '.join(sorted(FAILURE_MODES[how][1]))}")
        if times < 1:
            raise InvalidCommand("times is 1 or more")
        self._planned.setdefault(api_id, deque()).extend([how] * times)

    def reset(self) -> None:
        """Cancels all planned failures."""
        self._planned.clear()

    def next(self, api_id: str) -> str:
        """Returns the failure mode of this call, "" for none."""
        modes = self._planned.get(api_id)
        return modes.popleft() if modes else ""

    def planned(self) -> Mapping[str, Sequence[str]]:
        """Returns the planned failures by API."""
        return {api_id: tuple(modes) for api_id, modes in self._planned.items() if modes}


def apply_failure(how: str, body: Mapping[str, Any], everything: Rows, *, whole: bool) -> Mapping[str, Any]:
    """Returns the body of a list, changed by the failure mode `how`. Other modes do not change it.

    `everything` is the full list: the list of changes is often empty. `whole` is True when the full list was requested.
    """
    change = _CHANGES.get(how)
    return body if change is None else {**body, **change(list(everything), whole)}


def build_huge(body: Mapping[str, Any], least: int = HUGE_BYTES) -> bytes:
    """Returns JSON of at least `least` bytes: a list repeats its first row, another body is padded with blanks."""
    rows = body.get("org_list")
    if not rows:
        text = json.dumps(body, ensure_ascii=False).encode()
        return text[:1] + b" " * (least - len(text)) + text[1:]
    row = json.dumps(rows[0], ensure_ascii=False).encode()
    count = least // len(row) + 1
    head = json.dumps({**body, "org_cnt": str(count), "org_list": []}, ensure_ascii=False).encode()
    return head.replace(b"[]", b"[" + b",".join([row] * count) + b"]")


def _cut_half(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    return {"org_cnt": str(len(rows)), "org_list": rows[: len(rows) // 2]}


def _delete_most(rows: list[Mapping[str, Any]], whole: bool) -> dict[str, Any]:
    """Keeps only the first institution and no service in a full list. In a list of changes all rows are deleted."""
    remaining = [_delete(row) for row in rows] if not whole else [row for row in rows[:1] if "service_list" not in row]
    return {"org_cnt": str(len(remaining)), "org_list": remaining}


def _delete(row: Mapping[str, Any]) -> Mapping[str, Any]:
    services = row.get("service_list")
    if services is None:
        return {"op_type": DELETED, "org_code": row["org_code"], "org_type": row["org_type"]}
    deleted = [
        {name: service[name] for name in ("service_name", "client_id")} | {"op_type": DELETED} for service in services
    ]
    return {**row, "service_list": deleted}


def _repeat_first(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    return {"org_cnt": str(len(rows) + 1), "org_list": [*rows[:1], *rows]}


def _set_unknown_type(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    return {"org_cnt": str(len(rows)), "org_list": [{**rows[0], "org_type": "08"}, *rows[1:]]}


def _remove_serial(rows: list[Mapping[str, Any]], _: bool) -> dict[str, Any]:
    index = next(index for index, row in enumerate(rows) if row["org_type"] == OrgType.OPERATOR.value)
    changed = {name: value for name, value in rows[index].items() if name != "serial_num"}
    return {"org_cnt": str(len(rows)), "org_list": [*rows[:index], changed, *rows[index + 1 :]]}


_CHANGES: Final[Mapping[str, Callable[[list[Mapping[str, Any]], bool], dict[str, Any]]]] = {
    "half_list": _cut_half,
    "mass_deletion": _delete_most,
    "doubled": _repeat_first,
    "unknown_org_type": _set_unknown_type,
    "missing_serial": _remove_serial,
}
