"""Billing months, and periods that end yesterday."""

from datetime import date

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError
from mydata_sandbox.world.months import format_month, get_day, parse_day_window, parse_month, parse_month_window


@pytest.fixture
def data_request(build_client):
    return lambda **params: build_client("card", CUSTOMERS[0]).build_request("카드-004", **params)


def test_a_day_beyond_the_month_is_its_last():
    assert get_day(date(2026, 2, 1), 30) == date(2026, 2, 28)
    assert get_day(date(2026, 11, 1), 14) == date(2026, 11, 14)
    assert format_month(date(2026, 2, 1)) == "202602"


def test_periods_end_yesterday_or_with_this_month(data_request):
    assert parse_day_window(data_request(from_date="20261101", to_date="20261231")) == (
        date(2026, 11, 1),
        date(2026, 11, 19),
    )
    assert parse_month_window(data_request(from_month="202610", to_month="202701")) == (
        date(2026, 10, 1),
        date(2026, 11, 1),
    )


@pytest.mark.parametrize("params", [{}, {"charge_month": "202613"}, {"charge_month": "2026-1"}])
def test_an_invalid_month_is_rejected(data_request, params):
    with pytest.raises(ApiError) as error:
        parse_month(data_request(**params), "charge_month")
    assert error.value.rsp_code == "40001"
