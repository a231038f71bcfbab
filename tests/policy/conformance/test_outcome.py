"""Tests of recording what came of each case."""

from relay.policy.conformance.judgement import Flaw
from relay.policy.conformance.outcome import Outcome, Recorder, Report, State, select_cases
from relay.policy.conformance.target import Selection, Target
from relay.standard.catalogue import load_catalogue

API = load_catalogue().apis["은행-004"]


def find(recorder, case):
    return next(each for each in recorder.list_outcomes([API]) if (each.api_id, each.case) == ("은행-004", case))


def test_each_case_has_a_state():
    recorder = Recorder(Selection())
    recorder.record(API, "basic", [])
    recorder.record(API, "pages", [])
    recorder.record_untried(API, "pages", "no_rows")
    recorder.record(API, "limits", [Flaw("limit")])
    recorder.record(API, "gzip", [Flaw("style")])
    recorder.record_untried(API, "asset", "no_second_customer")
    recorder.record_untried(API, "timestamp", "not_applicable")
    assert find(recorder, "basic") == Outcome("은행-004", "basic", State.PASSED)
    assert find(recorder, "pages") == Outcome("은행-004", "pages", State.PASSED, "no_rows")
    assert find(recorder, "limits").state is State.BROKEN
    assert find(recorder, "gzip").state is State.PASSED
    assert find(recorder, "asset").state is State.NOT_TRIED
    assert find(recorder, "timestamp").state is State.NOT_APPLICABLE
    assert find(recorder, "period") == Outcome("은행-004", "period", State.NOT_TRIED, "not_selected")


def test_a_rule_is_one_finding_for_each_api_and_field():
    recorder = Recorder(Selection())
    for field in ("a", "b", "a"):
        recorder.record(API, "basic", [Flaw("type", field)], "GET /", "T")
    recorder.record(None, "tls", [Flaw("tls_version")])
    findings = recorder.list_findings()
    assert [(each.flaw.rule, each.flaw.field, each.answers) for each in findings] == [
        ("tls_version", "", 1),
        ("type", "a", 2),
        ("type", "b", 1),
    ]


def test_a_rule_that_is_not_selected_is_not_recorded():
    recorder = Recorder(Selection(rules=frozenset({"count"})))
    recorder.record(API, "basic", [Flaw("type"), Flaw("count")])
    assert [each.flaw.rule for each in recorder.list_findings()] == ["count"]


def test_cases_are_selected_by_rules():
    assert select_cases(Selection(rules=frozenset({"withheld"}))) == {"basic", "withheld"}
    assert "tls" in select_cases(Selection())
    assert "tls" not in select_cases(Selection(apis=frozenset({"BA04"})))


def test_remarks_are_no_violations():
    recorder = Recorder(Selection())
    recorder.record(API, "basic", [Flaw("style"), Flaw("type"), Flaw("limit")])
    report = Report("Z", "bank", "http://a", (API,), recorder.list_outcomes([API]), recorder.list_findings(), 1, "")
    assert report.broken_rules == ("type", "limit")
    assert (len(report.findings), report.count(State.BROKEN)) == (3, 1)


def test_a_selection_names_apis_by_code_or_id():
    selection = Selection(apis=frozenset({"BA04"}))
    assert selection.has_api("은행-004", "BA04")
    assert not selection.has_api("은행-001", "BA01")
    assert Selection().has_api("은행-001", "BA01")


def test_a_target_hides_its_customers():
    target = Target("http://a", "bank", "ZBAA000001", ("Q0k=",), "ZZRELAY001")
    assert ("Q0k=" in repr(target), target.is_adapted) == (False, False)
