"""A purse never runs dry, and each month ends with its rest."""

from datetime import date

import pytest

from relay.sandbox.world.model import CUSTOMERS
from relay.sandbox.world.purse import PAID, PAID_BACK, TO_BANK, Purse, deals, entries, standing
from relay.sandbox.world.street import SHOPS

PURSE = Purse("test", date(2025, 3, 9), SHOPS, (30, 40), 5, "5102", 20_000, 50_000, 15_000)


@pytest.fixture
def ask(teller):
    return lambda today=date(2026, 11, 20): teller("efin", CUSTOMERS[0], today=today).ask("전금-004")


def test_nothing_is_told_before_the_first_whole_month(ask):
    book = entries(ask(), PURSE, date(2025, 1, 1), date(2025, 4, 30))
    assert book[0].at.date() >= date(2025, 4, 1)
    assert book[0].balance == book[0].amount
    assert standing(ask(date(2025, 3, 20)), PURSE) == (0, 0)


def test_a_month_ends_with_its_rest_and_the_next_begins_with_it(ask):
    book = entries(ask(), PURSE, date(2025, 5, 1), date(2025, 5, 31))
    assert (book[-1].kind, book[-1].balance) == (TO_BANK, PURSE.rest)
    assert standing(ask(date(2025, 6, 1)), PURSE)[0] == PURSE.rest


def test_the_floor_is_kept_and_points_are_spent_first(ask):
    book = entries(ask(), PURSE, date(2025, 6, 1), date(2026, 10, 31))
    assert min(entry.balance for entry in book) >= PURSE.rest
    assert any(entry.points for entry in book)
    assert [entry.at for entry in book] == sorted(entry.at for entry in book)


def test_deals_and_book_tell_the_same_purchases(ask):
    window = (date(2026, 9, 1), date(2026, 9, 30))
    made = deals(ask(), PURSE, *window)
    book = entries(ask(), PURSE, *window)
    assert sum(deal.price for deal in made) == sum(entry.amount for entry in book if entry.kind == PAID)
    assert sum(deal.back for deal in made) == sum(entry.amount for entry in book if entry.kind == PAID_BACK)


def test_a_change_still_to_come_is_not_told(ask):
    window = (date(2026, 9, 1), date(2026, 9, 30))
    deal = next(deal for deal in deals(ask(), PURSE, *window) if deal.changed)
    before = ask(deal.changed.date())
    [known] = [found for found in deals(before, PURSE, *window) if found.number == deal.number]
    assert (known.status, known.changed, known.cost) == ("01", None, deal.price)
