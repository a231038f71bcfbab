"""The report as a JSON object, with the texts of rules in both languages."""

from typing import Any

from relay.policy.conformance.case import REASONS
from relay.policy.conformance.outcome import Finding, Report, State
from relay.policy.conformance.reports.phrases import find_api
from relay.policy.conformance.rule import ConformanceRule, Text
from relay.policy.conformance.rules import RULES


def build_json_report(report: Report) -> dict[str, Any]:
    """Returns the report for machines."""
    return {
        "org_code": report.org_code,
        "industry": report.industry,
        "base_url": report.base_url,
        "started_at": report.started_at,
        "result": "failed" if report.problem else "broken" if report.violations else "clean",
        "problem": report.problem,
        "calls": report.calls,
        "cases": {state.value: report.count(state) for state in State},
        "broken_rules": list(report.broken_rules),
        "findings": [_build_finding(report, finding) for finding in report.findings],
        "outcomes": [
            {
                "api_id": outcome.api_id,
                "api_code": _get_api_code(report, outcome.api_id),
                "case": outcome.case,
                "state": outcome.state.value,
                "reason": _build_text(REASONS[outcome.reason]) if outcome.reason else None,
            }
            for outcome in report.outcomes
        ],
    }


def build_json_rule(rule: ConformanceRule) -> dict[str, Any]:
    """Returns a rule for machines."""
    return {
        "rule": rule.name,
        "group": rule.group.value,
        "source": rule.source,
        "expected": _build_text(rule.expected),
        "remedy": _build_text(rule.remedy),
        "is_remark": rule.is_remark,
    }


def _build_finding(report: Report, finding: Finding) -> dict[str, Any]:
    flaw = finding.flaw
    details = {
        "api_id": finding.api_id,
        "api_code": _get_api_code(report, finding.api_id),
        "case": finding.case,
        "call": finding.call,
        "field": flaw.field,
        "expected_value": flaw.expected,
        "received_value": flaw.received,
        "first_tran_id": finding.tran_id,
        "answers": finding.answers,
    }
    return build_json_rule(RULES[flaw.rule]) | details


def _get_api_code(report: Report, api_id: str) -> str:
    api = find_api(report, api_id)
    return "" if api is None else api.api_code


def _build_text(text: Text) -> dict[str, str]:
    return {"ko": text.ko, "en": text.en}
