"""Failure modes of the simulated institutions: rules for calls that fail when told."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from relay.standard.catalogue import load_catalogue, load_rsp_codes

ANY_API: Final = "all"
ANY_PAGE: Final = 0
MAX_TIMES: Final = 10_000


@dataclass(frozen=True, slots=True)
class FailureMode:
    """What an institution does, and the HTTP status and rsp_code that an operator gets from the relay.

    `rsp_code` is "" when the response has none.
    """

    words: str
    status: int
    rsp_code: str


_NO_ANSWER: Final = {
    "timeout": FailureMode("does not answer", 500, "50003"),
    "slow": FailureMode("answers after 5 s", 200, "00000"),
    "reset": FailureMode("resets the connection after the head", 500, "50005"),
    "half_answer": FailureMode("closes the connection within the body", 500, "50005"),
}
_NO_JSON: Final = {
    "half_json": FailureMode("answers the first half of the JSON", 500, "50005"),
    "no_json": FailureMode("answers a text labelled as JSON", 500, "50005"),
    "html": FailureMode("answers an HTML page with HTTP 200", 500, "50005"),
    "euc_kr": FailureMode("answers EUC-KR labelled as UTF-8", 200, "00000"),
}
_OTHER_CALL: Final = {
    "wrong_tran_id": FailureMode("answers another x-api-tran-id", 500, "50005"),
    "no_tran_id": FailureMode("answers without x-api-tran-id", 500, "50005"),
}
_WRONG_DATA: Final = {
    "no_rsp_code": FailureMode("answers without rsp_code", 200, ""),
    "missing_next_page": FailureMode("omits next_page before the last page", 200, "00000"),
    "endless_pages": FailureMode("returns page 2 again and again", 200, "00000"),
    "empty_list": FailureMode("returns an empty list", 200, "00000"),
    "wrong_count": FailureMode("counts one row too many", 200, "00000"),
}
FAILURE_MODES: Final[Mapping[str, FailureMode]] = {**_NO_ANSWER, **_NO_JSON, **_OTHER_CALL, **_WRONG_DATA}
"""Failure modes by name. A code of the standard (`42901`, `50001`) is a mode too: see `find_mode`."""

_COMMON: Final = "정보제공-"
"""The prefix of 공통-001 and 공통-002, which documents usually leave out."""

_OF_THE_RELAY: Final = frozenset({"정보제공-공통-001", "정보제공-공통-002"})
ERROR_STATUSES: Final = range(400, 600)


class InvalidRule(ValueError):
    """A value of a failure rule is invalid. The message has the valid values."""


@dataclass(frozen=True, slots=True)
class FailureRule:
    """The next `times` calls of `api` (api_id or "all") at `org_code` ("": any) fail by `how`; `page` 0 is any page."""

    api: str
    how: str
    page: int = ANY_PAGE
    times: int = 1
    org_code: str = ""

    def matches(self, org_code: str, api_id: str, page: int) -> bool:
        """Returns whether the rule is for this call."""
        return self.api in {api_id, ANY_API} and self.page in {ANY_PAGE, page} and self.org_code in {"", org_code}

    def describe(self) -> str:
        """Returns the rule in one line, with what an operator gets."""
        mode = find_mode(self.how)
        calls = "call" if self.times == 1 else f"{self.times} calls"
        place = f" of page {self.page}" if self.page else ""
        place += f" at {self.org_code}" if self.org_code else ""
        seen = f"HTTP {mode.status}, rsp_code {mode.rsp_code or 'missing'}"
        return f"the next {calls} of {self.api}{place}: {self.how}, {mode.words}; the operator gets {seen}"

    def row(self) -> dict[str, Any]:
        """Returns the rule as JSON."""
        return asdict(self)


class InstitutionFailures:
    """The failure rules of all institutions of a sandbox, in the order in which they were added.

    `slow_s` is the delay of a slow response. After `silent_s` the connection of a call without a response is closed.
    """

    def __init__(self, org_codes: Iterable[str], *, slow_s: float = 5, silent_s: float = 60) -> None:
        self.slow_s = slow_s
        self.silent_s = silent_s
        self._org_codes = tuple(org_codes)
        self._rules: list[FailureRule] = []

    def add(self, rule: FailureRule) -> FailureRule:
        """Adds a rule and returns it with the api_id of its API. Raises InvalidRule."""
        find_mode(rule.how)
        if not 1 <= rule.times <= MAX_TIMES:
            raise InvalidRule(f"times is a number from 1 to {MAX_TIMES}")
        if rule.page < ANY_PAGE:
            raise InvalidRule("page is a number from 1; without it every page fails")
        if rule.org_code and rule.org_code not in self._org_codes:
            raise InvalidRule(f"org_code {rule.org_code} is not one of {', '.join(self._org_codes)}")
        rule = replace(rule, api=_find_api_id(rule.api))
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Removes all rules."""
        self._rules.clear()

    def rules(self) -> tuple[FailureRule, ...]:
        """Returns the rules that are left."""
        return tuple(self._rules)

    def take(self, org_code: str, api_id: str, page: int) -> str:
        """Returns the failure mode of this call, "" for none, and counts it."""
        for index, rule in enumerate(self._rules):
            if rule.matches(org_code, api_id, page):
                self._rules[index : index + 1] = [replace(rule, times=rule.times - 1)] if rule.times > 1 else []
                return rule.how
        return ""


def find_mode(how: str) -> FailureMode:
    """Returns the failure mode of a name or rsp_code. Raises InvalidRule."""
    if how in FAILURE_MODES:
        return FAILURE_MODES[how]
    code = load_rsp_codes().get(how)
    if code is None or code.http not in ERROR_STATUSES:
        raise InvalidRule(f"how is an rsp_code (42901, 50001, ...) or one of {', '.join(FAILURE_MODES)}")
    return FailureMode(f"refuses: {code.meaning}", code.http, how)


def _find_api_id(name: str) -> str:
    """Returns the api_id of an api_id or api_code. Raises InvalidRule for an API that institutions do not serve."""
    if name.lower() == ANY_API:
        return ANY_API
    for api in load_catalogue().iter_data_apis():
        if name.upper() in {api.api_id, api.api_id.removeprefix(_COMMON), api.api_code}:
            if api.api_id in _OF_THE_RELAY:
                raise InvalidRule(f"{name} never reaches an institution: the relay answers it")
            return api.api_id
    raise InvalidRule(f"api {name} is not an API of institutions: write 은행-004, BA04 or {ANY_API}")
