"""What an institution tells while a customer waits."""

from relay.domain.authorization.consent import Asset
from relay.domain.institution import DeskFault, Holding


def test_a_holding_shows_neither_number_nor_label():
    holding = Holding(("bank.deposit", "bank.loan"), Asset("110-PRIVATE", "1"), "PRIVATE 통장")
    assert "PRIVATE" not in repr(holding)
    assert holding.scopes == ("bank.deposit", "bank.loan")


def test_a_desk_fault_names_what_was_wrong():
    assert str(DeskFault("login: no JSON")) == "login: no JSON"
