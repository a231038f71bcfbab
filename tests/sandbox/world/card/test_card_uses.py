"""Uses of cards: final amounts, and the day a change becomes known."""

from datetime import date

import pytest
from mydata_sandbox.world.card.card_uses import list_big_ticket, list_domestic, list_instalments
from mydata_sandbox.world.card.card_wallet import CREDIT, list_cards
from mydata_sandbox.world.days import add_months
from mydata_sandbox.world.model import CUSTOMERS
from mydata_sandbox.world.seeds import CustomerSeed

SEED = CustomerSeed("card", 1)


@pytest.fixture
def card(build_client):
    return list_cards(build_client("card", CUSTOMERS[0]).build_request("카드-001"))[0]


def find_cancelled(card):
    return next(use for use in list_domestic(SEED, card, date(2026, 9, 1)) if use.status == "02")


def test_a_cancelled_use_costs_nothing_and_a_corrected_one_less(card):
    for use in list_domestic(SEED, card, date(2026, 9, 1)):
        assert use.final_amount == {"01": use.amount, "02": 0, "03": use.corrected_amount}[use.status]
        assert use.corrected_amount < use.amount


def test_a_change_is_known_from_its_day_on(card):
    use = find_cancelled(card)
    assert use.as_known_on(use.changed_at.date()) == use
    before = use.as_known_on(use.moment.date())
    assert (before.status, before.changed_at, before.final_amount) == ("01", None, use.amount)


def test_a_use_belongs_to_the_days_of_approval_and_change(card):
    use = find_cancelled(card)
    approved, cancelled = use.moment.date(), use.changed_at.date()
    assert use.is_within(approved, approved)
    assert use.is_within(cancelled, cancelled)
    assert not use.is_within(date(2026, 1, 1), date(2026, 8, 31))


def test_no_use_precedes_the_issue_of_the_card(card):
    assert all(use.moment.date() >= card.issued for use in list_domestic(SEED, card, card.issued.replace(day=1)))
    assert list(list_domestic(SEED, card, date(2015, 1, 1))) == []


def test_each_instalment_is_due_once(card):
    assert card.product.kind == CREDIT
    months = [date(2025, number, 1) for number in range(1, 13)]
    month, use = next((month, use) for month in months for use in list_big_ticket(SEED, card, month))
    numbers = [
        number
        for later in range(15)
        for other, number in list_instalments(SEED, card, add_months(month, later))
        if other == use
    ]
    assert numbers == list(range(1, use.parts + 1))
