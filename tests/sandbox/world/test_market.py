"""Prices of the street: the same for everyone, in whole ticks, alive but not mad."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from relay.sandbox.world.market import CENT, EPOCH, get_price

DAYS = [date(2020, 1, 1) + timedelta(days=number) for number in range(400)]


@pytest.mark.parametrize("tick", [CENT, Decimal(1), Decimal(50)])
def test_a_price_is_a_whole_number_of_ticks(tick):
    assert all(get_price("KR7005930003", 50_000, day, tick) % tick == 0 for day in DAYS)


def test_a_price_moves_from_day_to_day_by_a_few_percent_at_most():
    prices = [get_price("KR7005930003", 50_000, day) for day in DAYS]
    assert len(set(prices)) > 300
    assert all(abs(after / before - 1) < Decimal("0.03") for before, after in pairwise(prices))


def test_a_price_begins_near_its_base_and_drifts_up():
    first, later = (
        sum(get_price("A", 10_000, EPOCH + timedelta(days=start + number)) for number in range(383))
        for start in (0, 3830)
    )
    assert 383 * 8_500 < first < 383 * 11_500
    assert later > first


def test_not_all_prices_rise_and_fall_together():
    rises = {
        code: [get_price(code, 10_000, after) > get_price(code, 10_000, before) for before, after in pairwise(DAYS)]
        for code in ("A", "B")
    }
    assert rises["A"] != rises["B"]
