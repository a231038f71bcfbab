"""The cards of a customer, and which of them are billed."""

import pytest
from mydata_sandbox.world.card.card_wallet import DEBIT, FAMILY, find_card, get_main_card, list_cards
from mydata_sandbox.world.model import CUSTOMERS, ApiError


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
def test_the_cards_do_not_depend_on_the_api(build_client, customer):
    client = build_client("card", customer)
    cards = list_cards(client.build_request("카드-001"))
    assert cards == list_cards(client.build_request("카드-003", limit="1"))
    assert len({card.card_id for card in cards}) == len(cards)
    for card in cards:
        assert find_card(client.build_request("카드-002", card_id=card.card_id)) == card
        assert card.is_billed == (card.holder != FAMILY and card.product.kind != DEBIT)
    assert get_main_card(client.build_request("카드-011")).is_billed


def test_an_unknown_card_is_rejected(build_client):
    with pytest.raises(ApiError):
        find_card(build_client("card", CUSTOMERS[0]).build_request("카드-002", card_id="0" * 64))
