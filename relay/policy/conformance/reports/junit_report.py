"""The report as JUnit XML: a suite for each API, a test case for each case."""

from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from relay.policy.conformance.outcome import Finding, Outcome, Report, State
from relay.policy.conformance.reports.phrases import (
    describe_api,
    describe_reason,
    describe_result,
    find_api,
    get_case_title,
    say,
)
from relay.policy.conformance.reports.received import describe_received
from relay.policy.conformance.rules import RULES

_UNTRIED: Final = frozenset({State.NOT_TRIED, State.NOT_APPLICABLE})


def build_junit_report(report: Report, language: str) -> str:
    """Returns the report as XML. Remarks are no failures; a case that was not tried is skipped."""
    api_ids = dict.fromkeys(outcome.api_id for outcome in report.outcomes)
    suites = [_build_suite(report, api_id, language) for api_id in api_ids]
    broken, untried = report.count(State.BROKEN), sum(report.count(state) for state in _UNTRIED)
    counts = f'tests="{len(report.outcomes)}" failures="{broken}" skipped="{untried}"'
    errors = f' errors="{int(bool(report.problem))}"'
    name = quoteattr(f"relay conform {report.org_code} {report.industry}")
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites name={name} {counts}{errors}>",
            *suites,
            *(_build_problem(report, language) if report.problem else ()),
            "</testsuites>",
            "",
        ]
    )


def _build_problem(report: Report, language: str) -> list[str]:
    message = quoteattr(describe_result(report, language))
    return [
        '<testsuite name="run" tests="1" errors="1">',
        f'<testcase classname="run" name="connect"><error message={message}/></testcase>',
        "</testsuite>",
    ]


def _build_suite(report: Report, api_id: str, language: str) -> str:
    outcomes = [outcome for outcome in report.outcomes if outcome.api_id == api_id]
    broken = sum(outcome.state is State.BROKEN for outcome in outcomes)
    skipped = sum(outcome.state in _UNTRIED for outcome in outcomes)
    name = describe_api(find_api(report, api_id), language)
    head = f'<testsuite name={quoteattr(name)} tests="{len(outcomes)}" failures="{broken}" skipped="{skipped}">'
    cases = [_build_case(report, outcome, name, language) for outcome in outcomes]
    return "\n".join([head, *cases, "</testsuite>"])


def _build_case(report: Report, outcome: Outcome, suite: str, language: str) -> str:
    title = f"{outcome.case} {get_case_title(outcome.case, language)}"
    start = f"<testcase classname={quoteattr(suite)} name={quoteattr(title)}"
    if outcome.state in _UNTRIED:
        reason = describe_reason(outcome, language) or say(language, "not_applicable")
        return f"{start}><skipped message={quoteattr(reason)}/></testcase>"
    if outcome.state is State.PASSED:
        return f"{start}/>"
    findings = [each for each in report.violations if (each.api_id, each.case) == (outcome.api_id, outcome.case)]
    return f"{start}>{_build_failure(findings, language)}</testcase>"


def _build_failure(findings: Iterable[Finding], language: str) -> str:
    """Returns the broken rules of a case. A rule that another case has broken first is not repeated."""
    rules = list(dict.fromkeys(each.flaw.rule for each in findings))
    lines = [_describe(each, language) for each in findings]
    message = quoteattr(", ".join(rules) or say(language, "state_broken"))
    return f"<failure message={message}>{escape(chr(10).join(lines))}</failure>"


def _describe(finding: Finding, language: str) -> str:
    """Returns a finding in one line."""
    flaw, rule = finding.flaw, RULES[finding.flaw.rule]
    received = describe_received(flaw.received, language) or "-"
    return (
        f"{rule.name} ({rule.get_source(language)}): {rule.expected.get(language)} "
        f"{finding.call} {flaw.field} {say(language, 'received')}: {received}; {rule.remedy.get(language)}"
    )
