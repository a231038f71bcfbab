"""Wallets: the same cards for ever, and which of them come on the bill."""

import pytest

from relay.sandbox.world.card_wallet import CHECK, FAMILY, main_card, the_card, wallet
from relay.sandbox.world.model import CUSTOMERS, Absent


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
def test_a_wallet_is_the_same_whatever_is_asked(teller, customer):
    tell = teller("card", customer)
    cards = wallet(tell.ask("카드-001"))
    assert cards == wallet(tell.ask("카드-003", limit="1"))
    assert len({card.card_id for card in cards}) == len(cards)
    for card in cards:
        assert the_card(tell.ask("카드-002", card_id=card.card_id)) == card
        assert card.billed == (card.member != FAMILY and card.product.kind != CHECK)
    assert main_card(tell.ask("카드-011")).billed


def test_a_strangers_card_is_in_nobodys_wallet(teller):
    with pytest.raises(Absent):
        the_card(teller("card", CUSTOMERS[0]).ask("카드-002", card_id="0" * 64))
