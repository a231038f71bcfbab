"""Age and length of periods: 40004 and 40304 by x-api-type, at their exact limits."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.policy.call.period import compile_period_check, subtract_months
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
CHECKS = {api.api_id: compile_period_check(api.period) for api in APIS.values() if api.period}
DAYS, THREE_MONTHS, MONTHS = "은행-004", "은행-010", "카드-004"
TODAY = date(2024, 7, 15)
WITHIN_A_YEAR = ("user-consent", "user-refresh")
ON_DEMAND = (*WITHIN_A_YEAR, "user-search", "")


def check(api_id, first, last, api_type, today=TODAY):
    rule = APIS[api_id].period
    try:
        CHECKS[api_id]({rule.start: first, rule.end: last}, api_type, today)
    except Refusal as refusal:
        return refusal.fault.rsp_code
    return None


@pytest.mark.parametrize(
    ("api_id", "first", "widest", "beyond"),
    [
        (DAYS, "20240601", "20240702", "20240703"),
        (DAYS, "20240131", "20240302", "20240303"),  # over a leap day
        (DAYS, "20230131", "20230303", "20230304"),
        (DAYS, "20231215", "20240115", "20240116"),
        (THREE_MONTHS, "20240115", "20240415", "20240416"),
        (THREE_MONTHS, "20231115", "20240215", "20240216"),
        (THREE_MONTHS, "20240131", "20240430", "20240501"),
        (THREE_MONTHS, "20240229", "20240531", "20240601"),  # the last of a month to the last of a month
        (THREE_MONTHS, "20231130", "20240229", "20240301"),
        (THREE_MONTHS, "20221129", "20230228", "20230301"),
        (MONTHS, "202401", "202404", "202405"),
        (MONTHS, "202311", "202402", "202403"),
    ],
)
def test_a_scheduled_call_spans_31_days_or_3_months(api_id, first, widest, beyond):
    assert check(api_id, first, first, "scheduled") is None
    assert check(api_id, first, widest, "scheduled") is None
    assert check(api_id, first, beyond, "scheduled") == "40004"
    assert check(api_id, first, beyond, "user-search") is None


@pytest.mark.parametrize("api_type", WITHIN_A_YEAR)
@pytest.mark.parametrize(
    ("api_id", "today", "oldest", "before"),
    [
        (DAYS, date(2024, 7, 15), "20230715", "20230714"),
        (DAYS, date(2024, 2, 29), "20230228", "20230227"),
        (DAYS, date(2025, 2, 28), "20240228", "20240227"),
        (DAYS, date(2025, 3, 1), "20240301", "20240229"),
        (THREE_MONTHS, date(2024, 1, 1), "20230101", "20221231"),
        (MONTHS, date(2024, 7, 15), "202307", "202306"),
        (MONTHS, date(2024, 2, 29), "202302", "202301"),
    ],
)
def test_consent_and_refresh_go_back_12_months(api_type, api_id, today, oldest, before):
    now = f"{today:%Y%m%d}"[: len(oldest)]
    assert check(api_id, oldest, now, api_type, today) is None
    assert check(api_id, oldest, oldest, api_type, today) is None
    assert check(api_id, before, before, api_type, today) == "40004"
    assert check(api_id, before, now, "user-search", today) is None


@pytest.mark.parametrize("api_type", WITHIN_A_YEAR)
@pytest.mark.parametrize(
    ("api_id", "first", "widest", "beyond"),
    [(DAYS, "20240101", "20250101", "20250102"), (DAYS, "20240229", "20250228", "20250301"),
     (MONTHS, "202401", "202501", "202502")],
)  # fmt: skip
def test_a_period_that_ends_in_the_future_spans_12_months(api_type, api_id, first, widest, beyond):
    assert check(api_id, first, widest, api_type) is None
    assert check(api_id, first, beyond, api_type) == "40004"
    assert check(api_id, first, "99991231"[: len(first)], "user-search") is None


@pytest.mark.parametrize("api_type", ["user-search", "", "scheduled"])
@pytest.mark.parametrize(
    ("api_id", "today", "oldest", "before"),
    [
        (DAYS, date(2024, 7, 15), "20190715", "20190714"),
        (DAYS, date(2024, 2, 29), "20190228", "20190227"),
        (THREE_MONTHS, date(2025, 3, 1), "20200301", "20200229"),
        (MONTHS, date(2024, 7, 15), "201907", "201906"),
    ],
)
def test_no_call_goes_back_more_than_5_years(api_type, api_id, today, oldest, before):
    assert check(api_id, oldest, oldest, api_type, today) is None
    assert check(api_id, before, oldest, api_type, today) == "40304"
    assert check(api_id, "00010101"[: len(oldest)], "00010102"[: len(oldest)], api_type, today) == "40304"


@pytest.mark.parametrize("api_type", [*WITHIN_A_YEAR, "scheduled"])
def test_too_long_is_raised_before_too_old(api_type):
    assert check(DAYS, "20100101", "20240715", api_type) == "40004"


def test_an_unknown_api_type_has_the_limits_of_user_search():
    assert check(DAYS, "20190715", "20240715", "novelty") is None


def test_numbers_of_older_operators_are_dates():
    assert check(DAYS, 20240601, 20240715, "scheduled") == "40004"
    assert check(DAYS, 20240701, "20240715", "scheduled") is None


@pytest.mark.parametrize("api_type", [*ON_DEMAND, "scheduled"])
@pytest.mark.parametrize(
    ("first", "last"),
    [("2024-06-01", "20240701"), ("2024W011", "20240701"), ("20240601", "２０２４０７０１"), ("202406", "202407"),
     ("20240702", "20240701"), ("", "20240701"), (None, "20240701"), (["20240601"], "20240701")],
)  # fmt: skip
def test_a_malformed_period_is_refused(first, last, api_type):
    assert check(DAYS, first, last, api_type) == "40001"


@pytest.mark.parametrize(("api_id", "first"), [(DAYS, "20240732"), (THREE_MONTHS, "20241301")])
def test_dates_that_do_not_exist_cause_no_error(api_id, first):
    assert check(api_id, first, "20250201" if api_id == THREE_MONTHS else "20240801", "scheduled") in {"40001", None}
    assert check(DAYS, "20240230", "20240301", "scheduled") == "40001"


def test_a_missing_period_is_refused():
    for parameters in ({}, {"from_date": "20240101"}, {"to_date": "20240101"}):
        with pytest.raises(Refusal, match="parameter_malformed"):
            CHECKS[DAYS](parameters, "user-search", TODAY)


@pytest.mark.parametrize("api_id", CHECKS)
def test_the_refusal_names_fields_and_limits_never_a_value(api_id):
    rule = APIS[api_id].period
    for api_type in (*ON_DEMAND, "scheduled"):
        with pytest.raises(Refusal) as refusal:
            CHECKS[api_id](
                {rule.start: "19000101"[: 6 if "month" in rule.start else 8],
                 rule.end: "20240701"[: 6 if "month" in rule.end else 8]}, api_type, TODAY,
            )  # fmt: skip
        assert rule.start in refusal.value.detail
        assert "1900" not in refusal.value.detail
        assert "2024" not in refusal.value.detail


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(0, 800), st.sampled_from(ON_DEMAND))
def test_a_shorter_period_passes_when_a_longer_one_does(today, days, api_type):
    def text(back):
        return f"{today - timedelta(days=back):%Y%m%d}"

    wide = check(DAYS, text(days + 1), text(0), api_type, today)
    assert wide is not None or check(DAYS, text(days), text(0), api_type, today) is None


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(1, 12))
def test_n_months_ago_to_today_is_a_period_of_n_months(today, months):
    first, last = (f"{day:%Y%m%d}" for day in (subtract_months(today, months), today))
    assert check(THREE_MONTHS, first, last, "user-refresh", today) is None
    assert check(THREE_MONTHS, first, last, "scheduled", today) == (None if months <= 3 else "40004")


def test_months_can_be_subtracted_and_added():
    assert subtract_months(date(2024, 2, 29), -12) == date(2025, 2, 28)
    assert subtract_months(date(2024, 1, 31), -1) == date(2024, 2, 29)
    assert subtract_months(date(2024, 3, 31), 1) == date(2024, 2, 29)
