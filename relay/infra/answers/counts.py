"""Counts of checked answers and of the rules that they broke. Label sets are bounded, and no value is kept."""

from collections import Counter
from typing import Final

from relay.policy.answers.answer_rules import Verdict
from relay.policy.answers.rules import Rule

MAX_PLACES: Final = 200
"""Rules with fields of one institution that are counted by field; further ones have the field ""."""

MAX_CODES: Final = 10
"""Unknown rsp_codes of one institution that are named; further ones are OTHER_CODE."""

OTHER_CODE: Final = "other"
CLEAN: Final = "clean"
BROKEN: Final = "broken"


class AnswerCounts:
    """Numbers since the start: `checked` by institution, API and result, `broken` by institution, API, rule and field.

    A rule counts once for each answer and field. `codes` are unknown rsp_codes by institution, `skipped` the answers
    that were not checked by reason. One thread counts; others may read.
    """

    def __init__(self) -> None:
        self.checked: Counter[tuple[str, str, str]] = Counter()
        self.broken: Counter[tuple[str, str, str, str]] = Counter()
        self.codes: Counter[tuple[str, str]] = Counter()
        self.skipped: Counter[str] = Counter()
        self._places: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()

    def record(self, org_code: str, api_code: str, verdict: Verdict) -> None:
        """Counts one checked answer."""
        self.checked[org_code, api_code, BROKEN if verdict.violations else CLEAN] += 1
        for rule, field in verdict.violations:
            self._count_rule(org_code, api_code, rule, field)
        if verdict.style:
            self._count_rule(org_code, api_code, Rule.STYLE, verdict.style)
        if verdict.unknown_code:
            self._count_code(org_code, verdict.unknown_code)

    def _count_rule(self, org_code: str, api_code: str, rule: Rule, field: str) -> None:
        key = org_code, api_code, rule.value, field
        if key not in self.broken:
            if self._places[org_code] >= MAX_PLACES:
                key = org_code, api_code, rule.value, ""
            else:
                self._places[org_code] += 1
        self.broken[key] += 1

    def _count_code(self, org_code: str, code: str) -> None:
        key = org_code, code
        if key not in self.codes:
            if self._codes[org_code] >= MAX_CODES:
                key = org_code, OTHER_CODE
            else:
                self._codes[org_code] += 1
        self.codes[key] += 1
