"""A teller throws the dice of the question it answers."""

from relay.sandbox.world.model import CUSTOMERS
from relay.sandbox.world.teller import Teller
from relay.sandbox.world.teller import teller as teller_of


def test_a_teller_is_the_same_whatever_is_asked_and_throws_the_same_dice(teller):
    ask = teller("card", CUSTOMERS[1]).ask("카드-001", limit="3")
    assert teller_of(ask) == Teller("card", 2)
    assert teller_of(ask).dice("a", 1).random() == ask.dice("a", 1).random()
