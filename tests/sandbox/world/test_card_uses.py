"""Uses of cards: what they cost in the end, and when a change is known."""

from datetime import date

import pytest

from relay.sandbox.world.card_uses import at_home, big, in_parts
from relay.sandbox.world.card_wallet import CREDIT, wallet
from relay.sandbox.world.days import month_later
from relay.sandbox.world.model import CUSTOMERS
from relay.sandbox.world.teller import Teller

TELLER = Teller("card", 1)


@pytest.fixture
def card(teller):
    return wallet(teller("card", CUSTOMERS[0]).ask("카드-001"))[0]


def changed(card):
    return next(use for use in at_home(TELLER, card, date(2026, 9, 1)) if use.status == "02")


def test_a_cancelled_use_costs_nothing_and_a_corrected_one_less(card):
    for use in at_home(TELLER, card, date(2026, 9, 1)):
        assert use.cost == {"01": use.amount, "02": 0, "03": use.corrected}[use.status]
        assert use.corrected < use.amount


def test_a_change_is_known_from_its_day_on(card):
    use = changed(card)
    assert use.known_by(use.changed.date()) == use
    before = use.known_by(use.at.date())
    assert (before.status, before.changed, before.cost) == ("01", None, use.amount)


def test_a_use_is_touched_by_the_days_of_making_and_of_changing_it(card):
    use = changed(card)
    made, taken_back = use.at.date(), use.changed.date()
    assert use.touches(made, made)
    assert use.touches(taken_back, taken_back)
    assert not use.touches(date(2026, 1, 1), date(2026, 8, 31))


def test_nothing_happens_before_the_card_is_issued(card):
    assert all(use.at.date() >= card.issued for use in at_home(TELLER, card, card.issued.replace(day=1)))
    assert list(at_home(TELLER, card, date(2015, 1, 1))) == []


def test_a_big_thing_falls_due_once_for_each_of_its_parts(card):
    assert card.product.kind == CREDIT
    months = [date(2025, number, 1) for number in range(1, 13)]
    month, use = next((month, use) for month in months for use in big(TELLER, card, month))
    numbers = [
        number
        for later in range(15)
        for found, number in in_parts(TELLER, card, month_later(month, later))
        if found == use
    ]
    assert numbers == list(range(1, use.parts + 1))
