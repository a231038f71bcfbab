"""What all cases of a run share: the caller, the judges, the recorder, the answers so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from relay.domain.api import SUCCESS, Api, Catalogue
from relay.infra.conformance.caller import Caller
from relay.infra.conformance.connection import CallFailed
from relay.policy.conformance.call import ConformanceCall
from relay.policy.conformance.judgement import Flaw, Judge, Judged
from relay.policy.conformance.outcome import Recorder
from relay.policy.conformance.parameters import build_parameters
from relay.policy.conformance.sources import StoredAnswer, Values
from relay.policy.conformance.target import Effort, Statuses, Target

ABNORMAL: Final = "40305"
"""The rsp_code for an asset that is not in its normal state any more: a right answer, without data."""
_COMMON: Final = "정보제공-공통-"
"""The APIs that the relay answers itself."""

Answers = dict[str, list[StoredAnswer]]


def list_apis(catalogue: Catalogue, industry: str, turned_on: frozenset[str] = frozenset()) -> tuple[Api, ...]:
    """Returns the APIs that an institution of an industry answers, lists before details."""
    return tuple(
        api
        for api in catalogue.iter_apis(industry, later=True)
        if not api.api_id.startswith(_COMMON) and (industry in api.industries or api.api_code in turned_on)
    )


@dataclass(slots=True)
class Session:
    """One run. `day` is the last day of periods: a day that is over, so that its data do not change meanwhile."""

    target: Target
    effort: Effort
    caller: Caller
    recorder: Recorder
    statuses: Statuses
    cases: frozenset[str]
    day: date
    answers: Answers = field(default_factory=dict)
    second_answers: Answers = field(default_factory=dict)
    subjects: list[ConformanceCall] = field(default_factory=list)
    _judges: dict[str, Judge] = field(default_factory=dict)

    def build_call(self, api: Api, values: Values, ci: str = "") -> ConformanceCall:
        """Returns a right call of an API, for the first customer unless another is given."""
        parameters = build_parameters(api, self.target.org_code, values, self.day)
        return ConformanceCall(api, api.path_for(self.target.industry), parameters, ci or self.target.customers[0])

    def get_judge(self, api: Api) -> Judge:
        """Returns the judge of an API."""
        judge = self._judges.get(api.api_id)
        if judge is None:
            judge = self._judges[api.api_id] = Judge(api, self.statuses)
        return judge

    async def ask(
        self,
        call: ConformanceCall,
        case: str,
        *,
        codes: frozenset[str] = frozenset({SUCCESS}),
        rule: str = "success",
        accepts_coding: bool = False,
        ignored: frozenset[str] = frozenset(),
    ) -> Judged:
        """Makes a call, records the flaws of its answer and returns them, without a code if none came.

        `ignored` are fields that may be missing.
        """
        tran_id = self.caller.make_tran_id()
        try:
            received = await self.caller.call(call, tran_id)
        except CallFailed as failed:
            judged = Judged((Flaw(failed.rule, "", "", str(failed)),))
        else:
            judge = self.get_judge(call.api)
            judged = judge.judge(
                received, tran_id, call.parameters, codes=codes, rule=rule, accepts_coding=accepts_coding
            )
        flaws = [flaw for flaw in judged.flaws if not (flaw.rule == "missing" and _get_name(flaw) in ignored)]
        self.recorder.record(call.api, case, flaws, describe(call), tran_id)
        return judged._replace(flaws=tuple(flaws))

    def store(self, call: ConformanceCall, members: Mapping[str, object]) -> None:
        """Keeps a successful answer, so that later calls can take their assets from it."""
        answers = self.answers if call.ci == self.target.customers[0] else self.second_answers
        answers.setdefault(call.api.api_id, []).append(StoredAnswer(call.parameters, members))


def _get_name(flaw: Flaw) -> str:
    return flaw.field.rpartition(".")[2]


def describe(call: ConformanceCall) -> str:
    """Returns method and path of a call, its placeholders unfilled: a card_id names an asset."""
    return f"{call.used_method} {call.path}"
