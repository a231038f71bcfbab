"""An operator's statistics are its calls, by day and slot of Korea, true to 지원-004."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.operator.figures import Figures

from relay.standard.catalogue import load_catalogue

API = load_catalogue().apis["지원-004"]
REQUEST = replace(API, response=API.request)
WEEK, MONDAY = "20261122", "20261116"
BANK, CARD, SERVICE = "ZBAA000001", "ZCDA000001", "SVC01"


class Clock:
    now = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)  # noon of Monday in Korea

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def figures(clock):
    return Figures(clock)


def day(body, wanted=MONDAY):
    return next(each for each in body["stat_date_list"] if each["stat_date"] == wanted)


def calls(body, wanted=MONDAY):
    """{(org_code, api, slot): (success, fail)} of one day, zeros left out."""
    return {
        (org["org_code"], api["api_type"], slot["tm_slot"]): (int(slot["success_api_cnt"]), int(slot["fail_api_cnt"]))
        for org in day(body, wanted)["org_list"]
        for api in org["api_type_list"]
        for slot in api["tm_slot_list"]
        if slot["success_api_cnt"] != "0" or slot["fail_api_cnt"] != "0"
    }


def consents(body, wanted=MONDAY):
    return {
        org["org_code"]: tuple(int(org[f"consent_{kind}"]) for kind in ("new", "revoke", "own"))
        for org in day(body, wanted)["org_list"]
    }


@pytest.mark.parametrize("kind", ["1", "2"])
def test_a_week_without_calls_is_seven_days_without_institutions(figures, kind):
    body = figures.body(SERVICE, kind, WEEK)
    assert find_strict_violations(REQUEST, body) == []
    assert [each["stat_date"] for each in body["stat_date_list"]] == [f"202611{number}" for number in range(15, 22)]
    assert {each["org_cnt"] for each in body["stat_date_list"]} == {"0"}


def test_calls_are_counted_by_institution_api_and_outcome(figures):
    for ok in (True, True, False):
        figures.count_call(BANK, SERVICE, "BA01", ok=ok, ms=10)
    figures.count_call(CARD, SERVICE, "AU11", ok=True, ms=10)
    body = figures.body(SERVICE, "2", WEEK)
    assert find_strict_violations(REQUEST, body) == []
    assert calls(body) == {(BANK, "BA01", "00"): (2, 1), (CARD, "AU11", "00"): (1, 0)}


def test_scheduled_calls_are_separate_and_without_consents(figures):
    figures.count_consent(BANK, SERVICE, 1)
    figures.count_call(BANK, SERVICE, "BA01", ok=True, ms=10, scheduled=True)
    body = figures.body(SERVICE, "1", WEEK)
    assert find_strict_violations(REQUEST, body) == []
    assert calls(body) == {(BANK, "BA01", "00"): (1, 0)}
    assert "consent_own" not in day(body)["org_list"][0]
    assert calls(figures.body(SERVICE, "2", WEEK)) == {}


def test_services_are_counted_separately(figures):
    figures.count_call(BANK, SERVICE, "BA01", ok=True, ms=10)
    assert calls(figures.body("SVC02", "2", WEEK)) == {}


@pytest.mark.parametrize(
    ("moment", "of_day", "slot"),
    [
        (datetime(2026, 11, 15, 23, 59, 59, tzinfo=UTC), MONDAY, "01"),
        (datetime(2026, 11, 16, 0, 0, 0, tzinfo=UTC), MONDAY, "00"),
        (datetime(2026, 11, 16, 8, 59, 59, tzinfo=UTC), MONDAY, "00"),
        (datetime(2026, 11, 16, 9, 0, 0, tzinfo=UTC), MONDAY, "01"),
        (datetime(2026, 11, 16, 14, 59, 59, tzinfo=UTC), MONDAY, "01"),
        (datetime(2026, 11, 16, 15, 0, 0, tzinfo=UTC), "20261117", "01"),
    ],
)
def test_day_and_slot_are_korean(figures, clock, moment, of_day, slot):
    clock.now = moment
    figures.count_call(BANK, SERVICE, "BA01", ok=True, ms=10)
    assert calls(figures.body(SERVICE, "2", WEEK), of_day) == {(BANK, "BA01", slot): (1, 0)}


def test_response_times_are_whole_milliseconds(figures):
    for ms in (10.2, 20.2, 30.2):
        figures.count_call(BANK, SERVICE, "BA01", ok=True, ms=ms)
    (slot, other) = day(figures.body(SERVICE, "2", WEEK))["org_list"][0]["api_type_list"][0]["tm_slot_list"]
    assert (slot["rsp_avg"], slot["rsp_total"], slot["rsp_stdev"]) == ("20", "61", "8")
    assert (other["rsp_avg"], other["rsp_total"], other["rsp_stdev"]) == ("0", "0", "0")


def test_a_duration_over_the_limit_is_capped(figures):
    figures.count_call(BANK, SERVICE, "BA01", ok=True, ms=2_000_000)
    body = figures.body(SERVICE, "2", WEEK)
    assert find_strict_violations(REQUEST, body) == []


def test_consents_are_new_on_their_day_and_in_force_until_withdrawn(figures, clock):
    figures.count_consent(BANK, SERVICE, 1)
    figures.count_consent(BANK, SERVICE, 2)
    figures.count_consent(BANK, SERVICE, 1)
    clock.now += timedelta(days=2)
    figures.count_withdrawal(BANK, SERVICE, 1)
    figures.count_consent(CARD, SERVICE, 1)
    clock.now += timedelta(days=1)
    figures.count_withdrawal(BANK, SERVICE, 2)
    body = figures.body(SERVICE, "2", WEEK)
    assert find_strict_violations(REQUEST, body) == []
    assert [consents(body, f"202611{number}") for number in range(15, 22)] == [
        {},
        {BANK: (3, 0, 2)},
        {BANK: (0, 0, 2)},
        {BANK: (0, 1, 1), CARD: (1, 0, 1)},
        {BANK: (0, 1, 0), CARD: (0, 0, 1)},
        {CARD: (0, 0, 1)},
        {CARD: (0, 0, 1)},
    ]
