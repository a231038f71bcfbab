"""Holdings of customers at institutions."""

from relay.domain.authorization.consent import Asset
from relay.domain.institution import Holding, InstitutionError


def test_repr_of_a_holding_hides_number_and_label():
    holding = Holding(("bank.deposit", "bank.loan"), Asset("110-PRIVATE", "1"), "PRIVATE 통장")
    assert "PRIVATE" not in repr(holding)
    assert holding.scopes == ("bank.deposit", "bank.loan")


def test_an_institution_error_keeps_its_text():
    assert str(InstitutionError("login: no JSON")) == "login: no JSON"
