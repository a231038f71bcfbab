"""An exchange has one line or none; a moment has one day and one slot."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.domain.party import Operator, Service
from relay.domain.statistics import SLOTS, Line
from relay.policy.call.access import Caller, Callers
from relay.policy.statistics.counting import Counting, day_of, ended_at, find_single_services, has_responded
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes

SEOUL = ZoneInfo("Asia/Seoul")
ERRORS = {error.error for errors in load_oauth_errors().values() for error in errors}
COUNTING = Counting(load_catalogue(), load_rsp_codes(), ERRORS)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=SEOUL)
GOOD = {
    "provider": "ZBAA000001",
    "operator": "ZOPA000001",
    "client_id": "SVC1",
    "industry": "bank",
    "api_code": "BA01",
    "status": 200,
    "rsp_code": "00000",
    "provider_status": 200,
}


def exchange(ended=MIDNIGHT, took=0.0, **changes):
    exchange_ = Exchange(0.0, ended.timestamp() - took)
    exchange_.close(took)
    for name, value in (GOOD | changes).items():
        setattr(exchange_, name, value)
    return exchange_


def outcome(**answer):
    return COUNTING.line(exchange(**({"rsp_code": "", "api_code": "AU02"} | answer))).outcome


def test_a_line_has_time_parties_type_api_and_outcome():
    line = COUNTING.line(exchange(MIDNIGHT + timedelta(hours=9), api_type="scheduled"))
    assert line == Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "1", "BA01", "200_00000")
    assert line.success


@pytest.mark.parametrize(
    ("after_midnight", "day", "slot"),
    [
        (timedelta(0), "20261122", "01"),
        (timedelta(milliseconds=-1), "20261121", "01"),
        (timedelta(hours=9, milliseconds=-1), "20261122", "01"),
        (timedelta(hours=9), "20261122", "00"),
        (timedelta(hours=18, milliseconds=-1), "20261122", "00"),
        (timedelta(hours=18), "20261122", "01"),
        (timedelta(hours=24, milliseconds=-1), "20261122", "01"),
        (timedelta(hours=24), "20261123", "01"),
    ],
)
def test_days_and_slots_change_at_exact_korean_hours(after_midnight, day, slot):
    assert COUNTING.line(exchange(MIDNIGHT + after_midnight))[:2] == (day, slot)


def test_the_end_of_the_response_determines_the_slot():
    assert COUNTING.line(exchange(MIDNIGHT + timedelta(hours=18, seconds=1), took=2.0)).tm_slot == "01"


@given(st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - as UTC
def test_every_moment_has_the_day_and_slot_of_seouls_clock(moment):
    line, korean = COUNTING.line(exchange(moment)), moment.astimezone(SEOUL)
    assert line.stat_date == day_of(exchange(moment)) == f"{korean:%Y%m%d}"
    assert line.tm_slot == ("00" if 9 <= korean.hour < 18 else "01")


def test_nine_hours_of_each_day_are_in_the_first_slot():
    slots_by_day = {}
    for hour in range(366 * 24):
        line = COUNTING.line(exchange(MIDNIGHT + timedelta(hours=hour)))
        slots_by_day.setdefault(line.stat_date, []).append(line.tm_slot)
    assert len(slots_by_day) == 366
    assert {(slots.count(SLOTS[0]), slots.count(SLOTS[1])) for slots in slots_by_day.values()} == {(9, 15)}


@pytest.mark.parametrize(
    ("api_type", "kind"),
    [("scheduled", "1"), ("user-consent", "2"), ("user-refresh", "2"), ("user-search", "2"), ("", "2")],
)
def test_only_scheduled_calls_are_scheduled(api_type, kind):
    assert COUNTING.line(exchange(api_type=api_type)).type == kind


@pytest.mark.parametrize("missing", ["provider", "operator", "api_code"])
def test_incomplete_exchanges_are_unattributed(missing):
    lost = exchange(**{missing: ""})
    assert (COUNTING.line(lost), COUNTING.is_unattributed(lost)) == (None, True)


def test_support_apis_have_no_line():
    support = exchange(api_code="지원-102")
    assert (COUNTING.line(support), COUNTING.is_unattributed(support)) == (None, False)


def test_every_api_with_a_code_is_counted():
    assert {"AU01", "AU02", "AU11", "CM01", "CM02", "BA01"} <= COUNTING.api_codes
    assert len(COUNTING.api_codes) == 91 - 10


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ({"status": 200, "rsp_code": "00001"}, "200_00001"),
        ({"status": 200, "rsp_code": "99999"}, "200_99999"),
        ({"status": 401, "rsp_code": "40101", "reason": "token_expired"}, "401_40101"),
        ({"status": 500, "rsp_code": "50008"}, "500_50008"),
        ({"status": 200}, "200_00000"),  # a token, or a body in a coding the relay does not read
        ({"status": 302}, "302_00000"),
        ({"status": 302, "error": "access_denied", "reason": "access_denied"}, "302_access_denied"),
        ({"status": 400, "rsp_code": "40102", "error": "unauthorized_client"}, "400_unauthorized_client"),
        ({"status": 200, "reason": "answer_without_code"}, "200_none"),
        ({"status": 200, "reason": "answer_charset"}, "200_none"),
        ({"status": 404, "reason": "answer_without_code"}, "404_none"),
        ({"status": 200, "rsp_code": "77777", "reason": "code_unknown"}, "200_other"),
        ({"status": 500, "rsp_code": "00000", "reason": "code_contradicts_status"}, "500_other"),
        ({"status": 200, "rsp_code": "50005", "reason": "provider_reset"}, "200_50005"),  # cut after it was begun
        ({"status": 302, "reason": "operator_gone"}, "302_none"),
        ({"status": 400}, "400_none"),
        ({"status": 400, "rsp_code": "12345"}, "400_other"),
        ({"status": 400, "error": "made_up"}, "400_other"),
        ({"status": 500, "rsp_code": "00000"}, "500_other"),
    ],
)
def test_an_outcome_is_the_status_and_the_operators_code(answer, named):
    assert outcome(**answer) == named


def test_invented_codes_of_providers_add_no_lines():
    invented = {outcome(status=400, rsp_code=f"{number:05}") for number in range(20_000)}
    assert len(invented) <= len(load_rsp_codes()) + 1


def test_only_two_codes_with_a_good_status_are_success():
    outcomes = {outcome(status=status, rsp_code=code) for status in (200, 400, 500) for code in load_rsp_codes()}
    assert {outcome_ for outcome_ in outcomes if Line(*[""] * 7, outcome_).success} == {"200_00000", "200_00001"}


def test_the_end_of_an_exchange_is_in_whole_seconds():
    assert ended_at(exchange(MIDNIGHT - timedelta(microseconds=1))) == MIDNIGHT.timestamp() - 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"provider_status": 401}, True),
        ({"provider_status": 429}, True),
        ({"provider_status": 500}, False),
        ({"provider_status": 502, "reason": "provider_broken"}, False),
        ({"provider_status": 200, "reason": "provider_reset"}, False),
        ({"provider_status": 0, "reason": "connect_refused"}, False),
        ({"provider_status": 0, "reason": "provider_silent"}, False),
        ({"provider_status": 200, "reason": "operator_gone"}, True),
        ({"provider_status": 0, "reason": "provider_busy"}, None),
        ({"provider_status": 0, "reason": "provider_rate"}, None),
        ({"provider_status": 0, "reason": "token_expired"}, None),
        ({"provider_status": 0}, None),
        ({"provider_status": 200, "industry": ""}, None),  # the authority's answer
    ],
)
def test_whether_an_institution_answered(changes, expected):
    assert has_responded(exchange(**changes)) is expected


def test_an_operator_with_one_service_is_attributed_to_it():
    def caller(org_code, *clients):
        services = tuple(Service(client, "x", org_code) for client in clients)
        return Caller.from_operator(Operator(org_code, "x", org_code, ("192.0.2.1",), services))

    callers = Callers.from_iterable([caller("ZOPA000001", "A"), caller("ZOPA000002", "B", "C"), caller("ZOPA000003")])
    assert find_single_services(callers) == {"ZOPA000001": "A"}
