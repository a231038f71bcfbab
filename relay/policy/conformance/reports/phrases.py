"""The words of reports in both languages, and what they have in common."""

from collections.abc import Mapping
from typing import Final

from relay.domain.api import Api
from relay.policy.conformance.case import CASES, REASONS
from relay.policy.conformance.outcome import Outcome, Report, State
from relay.policy.conformance.rule import Text

PHRASES: Final[Mapping[str, Text]] = {
    "title": Text("표준 API 적합성 시험", "Conformance to the standard API"),
    "clean": Text("적합: 위반한 규칙이 없습니다", "clean: no rule is broken"),
    "broken": Text("부적합: 위반한 규칙 {rules}개", "not clean: {rules} broken rules"),
    "failed": Text("시험하지 못했습니다: {problem}", "could not run: {problem}"),
    "remarks": Text("참고 {remarks}개", "remarks: {remarks}"),
    "calls": Text("호출 {calls}번", "{calls} calls"),
    "expected": Text("기대", "expected"),
    "received": Text("실제", "received"),
    "remedy": Text("조치", "remedy"),
    "field": Text("항목", "field"),
    "answers": Text("응답 {answers}개", "answers: {answers}"),
    "remark": Text("참고", "remark"),
    "rule": Text("규칙", "rule"),
    "source": Text("근거", "source"),
    "call": Text("호출", "call"),
    "first_tran_id": Text("첫 거래고유번호", "first tran-id"),
    "api": Text("API", "API"),
    "institution": Text("기관 전체", "institution"),
    "passed": Text("통과", "passed"),
    "not_tried": Text("시험 못 함", "not tried"),
    "not_applicable": Text("해당 없음", "not applicable"),
    "state_broken": Text("위반", "broken"),
    "in_part": Text("일부만 시험함", "tried in part"),
    "violations": Text("위반한 규칙", "Broken rules"),
    "cases": Text("API별 결과", "Results by API"),
    "no_violations": Text("없습니다.", "None."),
}
"""Words and sentences; `{name}` stands for a number or text."""

STATE_PHRASES: Final[Mapping[State, str]] = {
    State.PASSED: "passed",
    State.BROKEN: "state_broken",
    State.NOT_TRIED: "not_tried",
    State.NOT_APPLICABLE: "not_applicable",
}


def say(language: str, name: str, **values: object) -> str:
    """Returns a phrase in a language, with its values."""
    return PHRASES[name].get(language).format(**values)


def describe_result(report: Report, language: str) -> str:
    """Returns the result in a sentence."""
    if report.problem:
        return say(language, "failed", problem=report.problem)
    broken = len(report.broken_rules)
    return say(language, "broken", rules=broken) if broken else say(language, "clean")


def describe_api(api: Api | None, language: str) -> str:
    """Returns api_code, api_id and name of an API; None stands for the institution as a whole."""
    if api is None:
        return say(language, "institution")
    return f"{api.api_code} {api.api_id} {api.name if language == 'ko' else api.name_en}"


def find_api(report: Report, api_id: str) -> Api | None:
    """Returns an API of the report by its id, None for the institution as a whole."""
    return next((api for api in report.apis if api.api_id == api_id), None)


def describe_reason(outcome: Outcome, language: str) -> str:
    """Returns why a case was not tried, or not as a whole; "" if there is no reason."""
    if not outcome.reason or outcome.reason == "not_applicable":
        return ""
    text = REASONS[outcome.reason].get(language)
    return f"{say(language, 'in_part')}: {text}" if outcome.state in {State.PASSED, State.BROKEN} else text


def get_case_title(name: str, language: str) -> str:
    """Returns the title of a case."""
    return CASES[name].title.get(language)
