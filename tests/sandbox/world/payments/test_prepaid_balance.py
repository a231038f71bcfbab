"""A prepaid balance stays above its minimum and ends each month at its closing balance."""

from datetime import date

import pytest
from mydata_sandbox.world.counterparties import MERCHANTS
from mydata_sandbox.world.model import CUSTOMERS
from mydata_sandbox.world.payments.prepaid_balance import (
    PAID,
    REFUNDED,
    TO_BANK,
    PrepaidBalance,
    get_last_balance,
    list_entries,
    list_purchases,
)

BALANCE = PrepaidBalance("test", date(2025, 3, 9), MERCHANTS, (30, 40), 5, "5102", 20_000, 50_000, 15_000)


@pytest.fixture
def data_request(build_client):
    return lambda today=date(2026, 11, 20): build_client("efin", CUSTOMERS[0], today=today).build_request("전금-004")


def test_there_are_no_entries_before_the_first_whole_month(data_request):
    entries = list_entries(data_request(), BALANCE, date(2025, 1, 1), date(2025, 4, 30))
    assert entries[0].moment.date() >= date(2025, 4, 1)
    assert entries[0].balance == entries[0].amount
    assert get_last_balance(data_request(date(2025, 3, 20)), BALANCE) == (0, 0)


def test_a_month_starts_with_the_last_closing_balance(data_request):
    entries = list_entries(data_request(), BALANCE, date(2025, 5, 1), date(2025, 5, 31))
    assert (entries[-1].kind, entries[-1].balance) == (TO_BANK, BALANCE.closing_balance)
    assert get_last_balance(data_request(date(2025, 6, 1)), BALANCE)[0] == BALANCE.closing_balance


def test_the_minimum_is_kept_and_points_are_spent_first(data_request):
    entries = list_entries(data_request(), BALANCE, date(2025, 6, 1), date(2026, 10, 31))
    assert min(entry.balance for entry in entries) >= BALANCE.closing_balance
    assert any(entry.points for entry in entries)
    assert [entry.moment for entry in entries] == sorted(entry.moment for entry in entries)


def test_purchases_and_entries_agree(data_request):
    window = (date(2026, 9, 1), date(2026, 9, 30))
    purchases = list_purchases(data_request(), BALANCE, *window)
    entries = list_entries(data_request(), BALANCE, *window)
    assert sum(purchase.price for purchase in purchases) == sum(entry.amount for entry in entries if entry.kind == PAID)
    assert sum(purchase.refund for purchase in purchases) == sum(
        entry.amount for entry in entries if entry.kind == REFUNDED
    )


def test_a_later_change_is_not_known(data_request):
    window = (date(2026, 9, 1), date(2026, 9, 30))
    purchase = next(purchase for purchase in list_purchases(data_request(), BALANCE, *window) if purchase.changed_at)
    before = data_request(purchase.changed_at.date())
    [known] = [other for other in list_purchases(before, BALANCE, *window) if other.number == purchase.number]
    assert (known.status, known.changed_at, known.final_amount) == ("01", None, purchase.price)
