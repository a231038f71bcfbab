"""Merchants and banks: purchases within opening hours and price ranges, names that fit their fields."""

import re
from datetime import date

from mydata_sandbox.world.counterparties import (
    BANKS,
    BIG_TICKET_MERCHANTS,
    CARD_COMPANY,
    MERCHANTS,
    YEN_MERCHANTS,
    draw_digits,
    draw_id,
    draw_purchase,
)
from mydata_sandbox.world.model import build_random


def test_purchases_keep_opening_hours_and_price_ranges():
    for number in range(500):
        merchant, at, price = draw_purchase(
            build_random("test", number), date(2026, 11, 20), MERCHANTS + BIG_TICKET_MERCHANTS + YEN_MERCHANTS
        )
        assert merchant.opens <= at.hour < merchant.closes
        assert merchant.min_price <= price <= merchant.max_price
        assert (price - merchant.min_price) % merchant.step == 0


def test_merchants_fit_the_fields_of_the_standard():
    for merchant in MERCHANTS + BIG_TICKET_MERCHANTS:
        assert len(merchant.name.encode()) <= 75
        assert re.fullmatch(r"\d{3}-\d{2}-\d{5}", merchant.regno)
        assert merchant.pay_method in {"01", "02"}
    assert all(len(code) == 8 for code in (*BANKS, CARD_COMPANY))


def test_identifiers_and_digits_have_their_length():
    assert re.fullmatch("[0-9a-f]{64}", draw_id(build_random("x")))
    assert draw_id(build_random("x")) == draw_id(build_random("x")) != draw_id(build_random("y"))
    assert all(re.fullmatch("[1-9][0-9]{7}", draw_digits(build_random(number), 8)) for number in range(200))
