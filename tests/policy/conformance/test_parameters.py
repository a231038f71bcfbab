"""Tests of the parameters of right calls."""

from datetime import date

from relay.policy.conformance.parameters import build_parameters, build_period, has_pages, list_fields
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
DAY = date(2026, 11, 29)


def test_a_page_of_transactions_is_of_the_last_year():
    parameters = build_parameters(CATALOGUE.apis["은행-004"], "ZBAA000001", {"account_num": "1"}, DAY)
    assert parameters == {
        "org_code": "ZBAA000001",
        "account_num": "1",
        "from_date": "20251129",
        "to_date": "20261129",
        "limit": "500",
    }


def test_months_are_written_as_months():
    assert build_period(CATALOGUE.apis["카드-004"], DAY) == ("202511", "202611")
    assert build_parameters(CATALOGUE.apis["통신-002"], "Z", {}, DAY)["charge_month"] == "202610"


def test_an_api_without_a_period_has_none():
    assert build_period(CATALOGUE.apis["은행-001"], DAY) is None


def test_pages_are_recognized():
    assert has_pages(CATALOGUE.apis["은행-001"])
    assert not has_pages(CATALOGUE.apis["은행-002"])
    assert list_fields(CATALOGUE.apis["카드-002"]) == ("card_id", "org_code", "search_timestamp")
