"""Logs once a day how the answers of that day were, and once per institution that it writes numbers without quotes."""

import logging
from collections import Counter
from typing import Final

from relay.policy.answers.answer_rules import Verdict

MAX_CODES: Final = 5
"""Unknown rsp_codes that the line of an institution names."""

_log = logging.getLogger(__name__)


class DailySummary:
    """Collects the verdicts of one day in Korea. Names rules and unknown codes, no values."""

    def __init__(self) -> None:
        self._day = ""
        self._checked: Counter[str] = Counter()
        self._broken: Counter[str] = Counter()
        self._rules: dict[str, Counter[str]] = {}
        self._codes: dict[str, set[str]] = {}
        self._remarked: set[str] = set()

    def record(self, org_code: str, api_code: str, verdict: Verdict, day: str) -> None:
        """Adds a verdict. The first one of a day logs the day before."""
        self.turn(day)
        self._checked[org_code] += 1
        if verdict.violations:
            self._broken[org_code] += 1
            rules = self._rules.setdefault(org_code, Counter())
            rules.update({rule.value for rule, _ in verdict.violations})
        if verdict.unknown_code:
            codes = self._codes.setdefault(org_code, set())
            if len(codes) < MAX_CODES:
                codes.add(verdict.unknown_code)
        if verdict.style and org_code not in self._remarked:
            self._remarked.add(org_code)
            _log.info("answers have numbers or booleans without quotes, accepted: org_code=%s api_code=%s field=%s",
                      org_code, api_code, verdict.style)  # fmt: skip

    def turn(self, day: str) -> None:
        """Logs the day before, if it has ended and answers were checked in it."""
        if day == self._day:
            return
        if self._checked:
            self._log_day()
        self._day = day
        self._checked.clear()
        self._broken.clear()
        self._rules.clear()
        self._codes.clear()

    def end(self) -> None:
        """Logs the day so far: the process ends."""
        self.turn("")

    def _log_day(self) -> None:
        _log.info("answers checked: day=%s institutions=%d answers=%d with_violations=%d",
                  self._day, len(self._checked), self._checked.total(), self._broken.total())  # fmt: skip
        for org_code, rules in sorted(self._rules.items()):
            named = ",".join(f"{rule}:{count}" for rule, count in sorted(rules.items()))
            codes = ",".join(sorted(self._codes.get(org_code, ())))
            _log.warning("answers break rules: day=%s org_code=%s answers=%d with_violations=%d rules=%s%s",
                         self._day, org_code, self._checked[org_code], self._broken[org_code], named,
                         f" unknown_codes={codes}" if codes else "")  # fmt: skip
