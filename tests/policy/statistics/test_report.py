"""The body of 지원-005."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mydata_sandbox.checks.conformance import find_strict_violations

from relay.domain.statistics import ConsentCount, Line
from relay.policy.statistics.report import TYPES, build_report, is_sent, serialize_report
from relay.policy.statistics.weeks import days_of
from relay.standard.catalogue import load_catalogue

WEEK = "20260705"
DAYS = days_of(WEEK)
BANK, CARD = "A1AAAA0000", "A2AAAA0000"
API = load_catalogue().apis["지원-005"]
REQUEST = replace(API, response=API.request)
"""지원-005 with its request as the response, because responses are validated."""


CALL = Line(DAYS[0], "00", BANK, "OPAAAA0000", "client1", "2", "BA01", "200_00000")


def line(**changed):
    """Returns a line of one service with changed fields."""
    return CALL._replace(**changed)


def service_of(report, day=0, number=0):
    return report["stat_date_list"][day]["mydata_svc_list"][number]


def slots_of(report):
    return [
        (api["api_type"], slot["tm_slot"], slot["success_api_cnt"], slot["fail_api_cnt"])
        for day in report["stat_date_list"]
        for service in day["mydata_svc_list"]
        for api in service["api_type_list"]
        for slot in api["tm_slot_list"]
    ]


def test_a_week_without_calls_has_seven_empty_days():
    assert build_report(WEEK, BANK, "1", [], []) == {
        "org_code": BANK,
        "type": "1",
        "inquiry_date": WEEK,
        "stat_date_cnt": "7",
        "stat_date_list": [{"stat_date": day, "mydata_svc_cnt": "0", "mydata_svc_list": []} for day in DAYS],
    }


def test_a_call_makes_a_service_an_api_and_both_slots():
    report = build_report(WEEK, BANK, "2", [(line(tm_slot="01"), 3), (line(tm_slot="01", outcome="500_50005"), 2)], [])
    assert [day["mydata_svc_cnt"] for day in report["stat_date_list"]] == ["1", "0", "0", "0", "0", "0", "0"]
    assert service_of(report) == {
        "org_code": "OPAAAA0000",
        "client_id": "client1",
        "consent_new": "0",
        "consent_revoke": "0",
        "consent_own": "0",
        "api_type_cnt": "1",
        "api_type_list": [
            {
                "api_type": "BA01",
                "tm_slot_cnt": "2",
                "tm_slot_list": [
                    {"tm_slot": "00", "success_api_cnt": "0", "fail_api_cnt": "0"},
                    {"tm_slot": "01", "success_api_cnt": "3", "fail_api_cnt": "2"},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("outcome", "successes", "failures"),
    [
        ("200_00000", "5", "0"),
        ("200_00001", "5", "0"),
        ("302_00000", "5", "0"),
        ("200_99999", "0", "5"),
        ("429_42901", "0", "5"),
        ("400_invalid_grant", "0", "5"),
    ],
)
def test_only_00000_and_00001_are_success(outcome, successes, failures):
    report = build_report(WEEK, BANK, "2", [(line(outcome=outcome), 5)], [])
    assert slots_of(report) == [("BA01", "00", successes, failures), ("BA01", "01", "0", "0")]


def test_a_consent_without_calls_makes_a_service_in_type_2():
    consents = [ConsentCount(DAYS[6], BANK, "OPAAAA0000", "client1", 1, 0, 7)]
    assert service_of(build_report(WEEK, BANK, "2", [], consents), day=6) == {
        "org_code": "OPAAAA0000",
        "client_id": "client1",
        "consent_new": "1",
        "consent_revoke": "0",
        "consent_own": "7",
        "api_type_cnt": "0",
        "api_type_list": [],
    }
    assert build_report(WEEK, BANK, "1", [], consents) == build_report(WEEK, BANK, "1", [], [])


def test_scheduled_reports_have_no_consents():
    consents = [ConsentCount(DAYS[0], BANK, "OPAAAA0000", "client1", 1, 1, 1)]
    report = build_report(WEEK, BANK, "1", [(line(type="1"), 1)], consents)
    assert service_of(report).keys() == {"org_code", "client_id", "api_type_cnt", "api_type_list"}


@pytest.mark.parametrize(
    "other",
    [
        line(provider=CARD),
        line(type="1"),
        line(stat_date="20260705"),
        line(stat_date="20260627"),
        line(client_id=""),
        line(operator=""),
        line(api_code=""),
    ],
)
def test_other_lines_are_not_in_the_report(other):
    assert build_report(WEEK, BANK, "2", [(other, 1)], []) == build_report(WEEK, BANK, "2", [], [])


@pytest.mark.parametrize(
    "other",
    [
        ConsentCount(DAYS[0], CARD, "OPAAAA0000", "client1", 1, 0, 0),
        ConsentCount("20260705", BANK, "OPAAAA0000", "client1", 1, 0, 0),
        ConsentCount(DAYS[0], BANK, "OPAAAA0000", "client1", 0, 0, 0),
    ],
)
def test_other_consents_are_not_in_the_report(other):
    assert build_report(WEEK, BANK, "2", [], [other]) == build_report(WEEK, BANK, "2", [], [])


def test_services_and_apis_are_sorted():
    calls = [("OPB", "c1", "BA02"), ("OPA", "c2", "BA02"), ("OPA", "c1", "CM01"), ("OPA", "c2", "AU11")]
    lines = [(line(operator=operator, client_id=client, api_code=api), 1) for operator, client, api in calls]
    report = build_report(WEEK, BANK, "2", lines, [])
    services = report["stat_date_list"][0]["mydata_svc_list"]
    assert [(service["org_code"], service["client_id"]) for service in services] == [
        ("OPA", "c1"),
        ("OPA", "c2"),
        ("OPB", "c1"),
    ]
    assert [api["api_type"] for api in services[1]["api_type_list"]] == ["AU11", "BA02"]


def test_a_report_needs_a_sunday():
    with pytest.raises(ValueError, match="a Sunday"):
        build_report("20260706", BANK, "2", [], [])


def test_a_line_without_a_service_is_not_sent():
    assert [is_sent(line_) for line_ in (line(), line(client_id=""), line(operator=""), line(api_code=""))] == [
        True,
        False,
        False,
        False,
    ]


LINES = st.builds(
    line,
    stat_date=st.sampled_from((*DAYS, WEEK)),
    tm_slot=st.sampled_from(("00", "01")),
    provider=st.sampled_from((BANK, CARD)),
    operator=st.sampled_from(("OPAAAA0000", "OPBAAA0000")),
    client_id=st.sampled_from(("client1", "client2", "")),
    type=st.sampled_from(TYPES),
    api_code=st.sampled_from(("BA01", "BA21", "AU02", "CM01")),
    outcome=st.sampled_from(("200_00000", "200_00001", "500_50003", "400_invalid_grant")),
)
CONSENTS = st.builds(
    ConsentCount,
    st.sampled_from(DAYS),
    st.just(BANK),
    st.just("OPAAAA0000"),
    st.sampled_from(("client1", "client2")),
    *(st.integers(0, 3),) * 3,
)
COUNTS = st.dictionaries(LINES, st.integers(1, 9_999_999_999), max_size=30)


@settings(max_examples=25)
@given(COUNTS, st.lists(CONSENTS, max_size=5, unique_by=lambda count: (count.stat_date, count.client_id)), st.randoms())
def test_any_report_is_valid_and_equal_figures_make_equal_bytes(counts, consents, chance):
    for kind in TYPES:
        report = build_report(WEEK, BANK, kind, counts.items(), consents)
        assert find_strict_violations(REQUEST, report) == []
        lines = list(counts.items())
        chance.shuffle(lines)
        content = serialize_report(build_report(WEEK, BANK, kind, lines, reversed(consents)))
        assert content == serialize_report(report)
        assert json.loads(content) == report


@settings(max_examples=25)
@given(COUNTS)
def test_every_call_is_counted_once(counts):
    for kind in TYPES:
        figures = slots_of(build_report(WEEK, BANK, kind, counts.items(), []))
        sent = sum(int(success) + int(failure) for _, _, success, failure in figures)
        assert sent == sum(
            count
            for line_, count in counts.items()
            if (line_.provider, line_.type) == (BANK, kind) and line_.client_id and line_.stat_date in DAYS
        )
