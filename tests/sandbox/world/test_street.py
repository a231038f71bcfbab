"""Shops and banks of the street: purchases within opening hours and price lists, names that fit their fields."""

import re
from datetime import date

from relay.sandbox.world.model import dice
from relay.sandbox.world.street import BANKS, BIG_SHOPS, CARD_HOUSE, SHOPS, YEN_SHOPS, digits, opaque, shopping


def test_purchases_keep_the_hours_and_prices_of_their_shop():
    for number in range(500):
        shop, at, price = shopping(dice("test", number), date(2026, 11, 20), SHOPS + BIG_SHOPS + YEN_SHOPS)
        assert shop.opens <= at.hour < shop.closes
        assert shop.least <= price <= shop.most
        assert (price - shop.least) % shop.step == 0


def test_shops_fit_the_fields_they_are_told_in():
    for shop in SHOPS + BIG_SHOPS:
        assert len(shop.name.encode()) <= 75
        assert re.fullmatch(r"\d{3}-\d{2}-\d{5}", shop.regno)
        assert shop.pay_method in {"01", "02"}
    assert all(len(code) == 8 for code in (*BANKS, CARD_HOUSE))


def test_opaque_names_and_digits_have_their_length():
    assert re.fullmatch("[0-9a-f]{64}", opaque(dice("x")))
    assert opaque(dice("x")) == opaque(dice("x")) != opaque(dice("y"))
    assert all(re.fullmatch("[1-9][0-9]{7}", digits(dice(number), 8)) for number in range(200))
