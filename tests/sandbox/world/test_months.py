"""Months and windows that end yesterday."""

from datetime import date

import pytest

from relay.sandbox.world.model import CUSTOMERS, Absent
from relay.sandbox.world.months import asked_month, code, day_window, month_window, on


@pytest.fixture
def ask(teller):
    return lambda **params: teller("card", CUSTOMERS[0]).ask("카드-004", **params)


def test_a_day_that_a_month_lacks_is_its_last():
    assert on(date(2026, 2, 1), 30) == date(2026, 2, 28)
    assert on(date(2026, 11, 1), 14) == date(2026, 11, 14)
    assert code(date(2026, 2, 1)) == "202602"


def test_windows_end_yesterday_and_with_this_month(ask):
    assert day_window(ask(from_date="20261101", to_date="20261231")) == (date(2026, 11, 1), date(2026, 11, 19))
    assert month_window(ask(from_month="202610", to_month="202701")) == (date(2026, 10, 1), date(2026, 11, 1))


@pytest.mark.parametrize("params", [{}, {"charge_month": "202613"}, {"charge_month": "2026-1"}])
def test_what_is_no_month_is_refused(ask, params):
    with pytest.raises(Absent) as absent:
        asked_month(ask(**params), "charge_month")
    assert absent.value.rsp_code == "40001"
