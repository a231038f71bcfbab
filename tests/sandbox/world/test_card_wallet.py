"""Wallets: the same cards for ever, and which of them come on the bill."""

import pytest

from relay.sandbox.world.card_wallet import CHECK, FAMILY, find_card, get_main_card, list_cards
from relay.sandbox.world.model import CUSTOMERS, Absent


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
def test_a_wallet_is_the_same_whatever_is_asked(build_client, customer):
    client = build_client("card", customer)
    cards = list_cards(client.build_request("카드-001"))
    assert cards == list_cards(client.build_request("카드-003", limit="1"))
    assert len({card.card_id for card in cards}) == len(cards)
    for card in cards:
        assert find_card(client.build_request("카드-002", card_id=card.card_id)) == card
        assert card.is_billed == (card.member != FAMILY and card.product.kind != CHECK)
    assert get_main_card(client.build_request("카드-011")).is_billed


def test_a_strangers_card_is_in_nobodys_wallet(build_client):
    with pytest.raises(Absent):
        find_card(build_client("card", CUSTOMERS[0]).build_request("카드-002", card_id="0" * 64))
