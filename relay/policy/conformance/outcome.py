"""What came of each case, and the report of a run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from relay.domain.api import Api
from relay.policy.conformance.case import API_CASES, BASIC, CASES, INAPPLICABLE, WHOLE_CASES
from relay.policy.conformance.judgement import Flaw
from relay.policy.conformance.rules import RULES
from relay.policy.conformance.target import Selection

WHOLE: Final = ""
"""Stands for the institution as a whole in place of an api_id."""


class State(StrEnum):
    """What came of a case."""

    PASSED = "passed"
    BROKEN = "broken"
    NOT_TRIED = "not_tried"
    NOT_APPLICABLE = "not_applicable"


class Outcome(NamedTuple):
    """A case of an API. `reason` says why it was not tried; a passed case with a reason was tried in part."""

    api_id: str
    case: str
    state: State
    reason: str = ""


class Finding(NamedTuple):
    """A broken rule at one API and field: the first answer that broke it, and how many did.

    `call` is method and path of the call, without values.
    """

    flaw: Flaw
    api_id: str
    case: str
    call: str
    tran_id: str
    answers: int = 1

    @property
    def is_remark(self) -> bool:
        """Whether the rule is a remark only."""
        return RULES[self.flaw.rule].is_remark


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run. `problem` says why it ended early, "" otherwise."""

    org_code: str
    industry: str
    base_url: str
    apis: tuple[Api, ...]
    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    calls: int
    started_at: str
    problem: str = ""

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that are no remarks."""
        return tuple(each for each in self.findings if not each.is_remark)

    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The names of the broken rules, in the order of the table."""
        names = {each.flaw.rule for each in self.violations}
        return tuple(name for name in RULES if name in names)

    def count(self, state: State) -> int:
        """Returns the number of cases with a state."""
        return sum(outcome.state is state for outcome in self.outcomes)


@dataclass(slots=True)
class Recorder:
    """Collects what came of the cases of a run."""

    selection: Selection
    _findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    _tried: dict[tuple[str, str], bool] = field(default_factory=dict)
    _reasons: dict[tuple[str, str], str] = field(default_factory=dict)

    def record(self, api: Api | None, case: str, flaws: Iterable[Flaw], call: str = "", tran_id: str = "") -> None:
        """Records an answer with its flaws, none for a right one."""
        self._add(api, case, [flaw for flaw in flaws if self.selection.has_rule(flaw.rule)], call, tran_id)

    def record_cause(self, api: Api, case: str, flaws: Iterable[Flaw], call: str) -> None:
        """Records the flaws by which selected cases cannot be tried, also those of rules that are not selected."""
        self._add(api, case, [flaw for flaw in flaws if not self.selection.has_rule(flaw.rule)], call, "")

    def _add(self, api: Api | None, case: str, flaws: Iterable[Flaw], call: str, tran_id: str) -> None:
        api_id = WHOLE if api is None else api.api_id
        key = api_id, case
        self._tried.setdefault(key, False)
        for flaw in flaws:
            known = self._findings.get((flaw.rule, api_id, flaw.field))
            if known is None:
                known = Finding(flaw, api_id, case, call, tran_id, 0)
            self._findings[flaw.rule, api_id, flaw.field] = known._replace(answers=known.answers + 1)
            self._tried[key] = self._tried[key] or not RULES[flaw.rule].is_remark

    def record_untried(self, api: Api | None, case: str, reason: str) -> None:
        """Records that a case, or a part of it, was not tried."""
        self._reasons.setdefault((WHOLE if api is None else api.api_id, case), reason)

    def list_outcomes(self, apis: Iterable[Api]) -> tuple[Outcome, ...]:
        """Returns the outcomes of all cases, those of the institution first."""
        places = [(WHOLE, case) for case in WHOLE_CASES]
        places += [(api.api_id, case) for api in apis for case in API_CASES]
        return tuple(self._build_outcome(*place) for place in places)

    def list_findings(self) -> tuple[Finding, ...]:
        """Returns the findings in the order of the table of rules."""
        order = {name: number for number, name in enumerate(RULES)}
        return tuple(sorted(self._findings.values(), key=lambda each: order[each.flaw.rule]))

    def _build_outcome(self, api_id: str, case: str) -> Outcome:
        key = api_id, case
        reason = self._reasons.get(key, "")
        if key not in self._tried:
            state = State.NOT_APPLICABLE if reason in INAPPLICABLE else State.NOT_TRIED
            return Outcome(api_id, case, state, reason or "not_selected")
        return Outcome(api_id, case, State.BROKEN if self._tried[key] else State.PASSED, reason)


def select_cases(selection: Selection) -> frozenset[str]:
    """Returns the cases that can break a selected rule.

    The basic case is always tried: the others need it. If APIs are selected, cases of the whole institution are not.
    """
    chosen = {case.name for case in CASES.values() if not selection.rules or case.rules & selection.rules}
    if selection.apis and not selection.rules:
        chosen &= set(API_CASES)
    return frozenset({BASIC, *chosen})
