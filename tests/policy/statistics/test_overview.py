"""Statistics for display."""

import pytest

from relay.domain.statistics import Line
from relay.policy.statistics import overview
from relay.policy.statistics.overview import DayRow
from relay.policy.statistics.report import Calls


def line(day="20260701", provider="BANK", client_id="client1", kind="2", api="BA01", outcome="200_00000"):
    return Line(day, "00", provider, "OPERATOR", client_id, kind, api, outcome)


COUNTS = [
    (line(day="20260702"), 1),
    (line(), 2),
    (line(outcome="500_50003"), 4),
    (line(kind="1"), 8),
    (line(kind="1", outcome="429_42901"), 16),
    (line(provider="CARD"), 32),
    (line(client_id="", outcome="401_40101"), 64),
]


def test_rows_are_sorted_by_day_and_institution():
    assert overview.sum_by_day(COUNTS) == [
        DayRow("20260701", "BANK", Calls(8, 16), Calls(2, 4), Calls(0, 64)),
        DayRow("20260701", "CARD", Calls(), Calls(32, 0), Calls()),
        DayRow("20260702", "BANK", Calls(), Calls(1, 0), Calls()),
    ]


@pytest.mark.parametrize(
    ("api", "outcome", "name"),
    [
        ("AU01", "302_access_denied", "err_code_1_302_access_denied"),
        ("AU01", "405_method_not_allowed", "err_code_1_405_method_not_allowed"),
        ("AU02", "400_invalid_grant", "err_code_2_400_invalid_grant"),
        ("AU11", "503_temporarily_unavailable", "err_code_2_503_temporarily_unavailable"),
        ("AU04", "200_00000", "rsp_code_3_200_00000"),
        ("BA01", "200_00001", "rsp_code_3_200_00001"),
        ("CM01", "403_40303", "rsp_code_3_403_40303"),
        ("BA04", "500_50010", "rsp_code_3_500_50010"),
    ],
)
def test_an_outcome_has_the_addendums_name(api, outcome, name):
    assert overview.code_name(line(api=api, outcome=outcome)) == name


def test_codes_are_in_the_addendums_order():
    counts = [
        (line(outcome="500_50003"), 2),
        (line(outcome="500_other"), 1),
        (line(outcome="401_40101"), 16),
        (line(api="AU02", outcome="400_invalid_request"), 32),
        (line(api="AU01", outcome="302_server_error"), 4),
        (line(api="AU01", outcome="400_invalid_request"), 64),
        (line(api="AU04", outcome="200_99999"), 128),
        (line(provider="CARD", outcome="500_50003"), 8),
    ]
    assert list(overview.codes(counts).items()) == [
        ("err_code_1_400_invalid_request", 64),
        ("err_code_1_302_server_error", 4),
        ("err_code_2_400_invalid_request", 32),
        ("rsp_code_3_200_99999", 128),
        ("rsp_code_3_401_40101", 16),
        ("rsp_code_3_500_50003", 10),
        ("rsp_code_3_500_other", 1),
    ]
