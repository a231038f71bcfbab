"""Tests of the reports: all rules and reasons in both languages, 80 columns, hostile values."""

import json
from xml.etree import ElementTree as ET

import pytest

from relay.policy.conformance.case import CASES, REASONS
from relay.policy.conformance.judgement import Flaw
from relay.policy.conformance.outcome import Recorder, Report
from relay.policy.conformance.reports.html_report import build_html_report
from relay.policy.conformance.reports.json_report import build_json_report
from relay.policy.conformance.reports.junit_report import build_junit_report
from relay.policy.conformance.reports.text_report import measure, wrap, write_text_report
from relay.policy.conformance.rules import RULES
from relay.policy.conformance.target import Selection
from relay.standard.catalogue import load_catalogue

APIS = tuple(load_catalogue().iter_apis("bank"))[2:]
HOSTILE = "<script>alert('x')</script>\"&"


def build(findings=True, problem="", hostile="text/html"):
    recorder = Recorder(Selection())
    recorder.record(APIS[0], "gzip", [])
    for number, rule in enumerate(RULES if findings else ()):
        flaw = Flaw(rule, "trans_list[].trans_amt", "F(18,3)", hostile)
        recorder.record(
            APIS[number % len(APIS)] if number else None, "basic", [flaw], "GET /v1/bank/accounts", "Z" * 25
        )
    for number, reason in enumerate(REASONS):
        recorder.record_untried(APIS[number % len(APIS)], list(CASES)[4 + number % 5], reason)
    return Report(
        "ZBAA000001",
        "bank",
        "https://bank.example",
        APIS,
        recorder.list_outcomes(APIS),
        recorder.list_findings(),
        400,
        "2026-11-30T12:00:00+09:00",
        problem,
    )


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_text_report_has_80_columns_and_each_rule(language):
    lines = write_text_report(build(), language).splitlines()
    assert [line for line in lines if measure(line) > 80] == []
    assert {line.split()[0] for line in lines if line and line.split()[0] in RULES} == set(RULES)


def test_a_clean_report_says_so():
    assert "clean: no rule is broken" in write_text_report(build(findings=False), "en")
    assert "적합: 위반한 규칙이 없습니다" in write_text_report(build(findings=False), "ko")
    assert "could not run: refused" in write_text_report(build(findings=False, problem="refused"), "en")


def test_long_words_are_not_cut():
    assert wrap("a " + "b" * 90, 2) == ["  a", "  " + "b" * 90]
    assert measure("가a") == 3


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_page_needs_nothing_else_and_escapes_answers(language):
    page = build_html_report(build(hostile=HOSTILE), language)
    assert HOSTILE not in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not {"src=", "href=", "url(", "@import"} & {
        part for part in ("src=", "href=", "url(", "@import") if part in page
    }
    assert "default-src 'none'" in page
    assert all(f"<code>{rule}</code>" in page for rule in RULES)


def test_the_state_of_a_page_is_its_result():
    assert '<p class="result broken">' in build_html_report(build(), "en")
    assert '<p class="result clean">' in build_html_report(build(findings=False), "en")
    assert '<p class="result failed">' in build_html_report(build(findings=False, problem="refused"), "en")


def test_junit_counts_cases():
    report = build(hostile=HOSTILE)
    root = ET.fromstring(build_junit_report(report, "en"))
    cases = list(root.iter("testcase"))
    assert int(root.get("tests")) == len(cases) == len(report.outcomes)
    assert int(root.get("failures")) == len(list(root.iter("failure"))) > 0
    assert int(root.get("skipped")) == len(list(root.iter("skipped"))) > 0
    assert HOSTILE in "".join(failure.text for failure in root.iter("failure"))


def test_a_problem_is_an_error_of_junit():
    root = ET.fromstring(build_junit_report(build(findings=False, problem="refused"), "ko"))
    assert [error.get("message") for error in root.iter("error")] == ["시험하지 못했습니다: refused"]


def test_machines_get_both_languages():
    report = json.loads(json.dumps(build_json_report(build())))
    assert (report["result"], len(report["findings"])) == ("broken", len(RULES))
    assert set(report["findings"][0]["expected"]) == {"ko", "en"}
    assert {outcome["state"] for outcome in report["outcomes"]} == {"passed", "broken", "not_tried", "not_applicable"}
    assert build_json_report(build(findings=False))["result"] == "clean"
    assert build_json_report(build(findings=False, problem="refused"))["result"] == "failed"
