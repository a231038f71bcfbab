"""Prices: whole ticks, small daily changes, a slow rise."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from mydata_sandbox.world.invest.prices import CENT, EPOCH, get_price

DAYS = [date(2020, 1, 1) + timedelta(days=number) for number in range(400)]


@pytest.mark.parametrize("tick", [CENT, Decimal(1), Decimal(50)])
def test_a_price_is_a_whole_number_of_ticks(tick):
    assert all(get_price("KR7005930003", 50_000, day, tick) % tick == 0 for day in DAYS)


def test_a_price_changes_by_less_than_three_percent_a_day():
    prices = [get_price("KR7005930003", 50_000, day) for day in DAYS]
    assert len(set(prices)) > 300
    assert all(abs(after / before - 1) < Decimal("0.03") for before, after in pairwise(prices))


def test_a_price_starts_near_its_base_and_rises():
    first, later = (
        sum(get_price("A", 10_000, EPOCH + timedelta(days=start + number)) for number in range(383))
        for start in (0, 3830)
    )
    assert 383 * 8_500 < first < 383 * 11_500
    assert later > first


def test_prices_do_not_all_move_together():
    rises = {
        code: [get_price(code, 10_000, after) > get_price(code, 10_000, before) for before, after in pairwise(DAYS)]
        for code in ("A", "B")
    }
    assert rises["A"] != rises["B"]
