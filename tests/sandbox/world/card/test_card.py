"""A card company: responses fit the catalogue, and approvals are the same in any period."""

import pytest
from mydata_sandbox.world.model import CUSTOMERS, ApiError

ALL = pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
MONTH = {"from_date": "20261020", "to_date": "20261119"}
QUARTER = {"from_date": "20260820", "to_date": "20261119"}


def list_card_ids(client, **filters):
    cards = client("카드-001", limit="500")["card_list"]
    return [card["card_id"] for card in cards if all(card[name] == value for name, value in filters.items())]


@ALL
def test_every_customer_has_credit_check_and_family_cards(build_client, customer):
    cards = build_client("card", customer)("카드-001", limit="500")["card_list"]
    kinds = [card["card_type"] for card in cards]
    assert kinds == sorted(kinds)
    assert {("01", "1"), ("01", "2"), ("02", "1")} <= {(card["card_type"], card["card_member"]) for card in cards}
    assert all("*" in card["card_num"] for card in cards)


@ALL
def test_apis_without_an_asset_repeat_their_responses(build_client, customer):
    client = build_client("card", customer)
    for api_id in ("카드-003", "카드-006", "카드-007", "카드-010", "카드-011", "카드-012"):
        body = client(api_id, search_timestamp="0")
        assert body == client(api_id, search_timestamp="0")
        assert not any(value == [] for value in body.values())
    assert client("카드-006")["is_revolving"] == "true"
    assert set(client("카드-010")) >= {"is_loan_short_term", "is_loan_long_term"}


@ALL
def test_every_card_has_basics_and_unknown_cards_are_rejected(build_client, customer):
    client = build_client("card", customer)
    for card_id in list_card_ids(client):
        assert client("카드-002", card_id=card_id)["issue_date"] > f"{customer.since:%Y%m%d}"
    with pytest.raises(ApiError) as error:
        client("카드-002", card_id="f" * 64)
    assert (error.value.status, error.value.rsp_code) == (404, "40402")


@ALL
@pytest.mark.parametrize("api_id", ["카드-008", "카드-009"])
def test_approvals_are_complete_in_pages_and_longer_periods(build_client, customer, api_id):
    client = build_client("card", customer)
    for card_id in list_card_ids(client):
        rows = client.fetch_pages(api_id, "approved_list", limit=7, card_id=card_id, **MONTH)
        assert rows == client.fetch_pages(api_id, "approved_list", card_id=card_id, **MONTH)
        moments = [row["approved_dtime"] for row in rows]
        assert moments == sorted(moments, reverse=True)
        longer = client.fetch_pages(api_id, "approved_list", card_id=card_id, **QUARTER)
        assert all(row in longer for row in rows)
        assert len({row["approved_num"] for row in longer}) == len(longer)


@ALL
def test_conditional_fields_of_approvals(build_client, customer):
    client = build_client("card", customer)
    rows = []
    for card_id in list_card_ids(client):
        for api_id in ("카드-008", "카드-009"):
            rows += client.fetch_pages(api_id, "approved_list", card_id=card_id, **QUARTER)
    for row in rows:
        assert ("trans_dtime" in row) == (row["status"] in {"02", "03"})
        assert ("modified_amt" in row) == (row["status"] == "03")
        happened = {row["approved_dtime"][:8], row.get("trans_dtime", row["approved_dtime"])[:8]}
        assert any("20260820" <= day <= "20261119" for day in happened)
    assert {row["status"] for row in rows} == {"01", "02", "03"}


def test_a_card_fills_several_pages_a_month(build_client):
    client = build_client("card", CUSTOMERS[0])
    assert len(client.fetch_pages("카드-008", "approved_list", card_id=list_card_ids(client)[0], **MONTH)) > 40
