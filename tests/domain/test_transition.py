"""What stands in no table does not happen."""

from enum import StrEnum

import pytest

from relay.domain.authorization.consent import CONSENT_MOVES, ConsentState
from relay.domain.authorization.issued_tokens import TOKEN_MOVES, TokenState
from relay.domain.authorization.request import REQUEST_MOVES, RequestState
from relay.domain.transition import Forbidden, moved


class Lamp(StrEnum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


LAMP = {Lamp.OFF: frozenset({Lamp.ON, Lamp.BROKEN}), Lamp.ON: frozenset({Lamp.OFF, Lamp.BROKEN})}
ALL = [(CONSENT_MOVES, ConsentState), (TOKEN_MOVES, TokenState), (REQUEST_MOVES, RequestState)]


@pytest.mark.parametrize(("now", "to"), [(Lamp.OFF, Lamp.ON), (Lamp.ON, Lamp.OFF), (Lamp.ON, Lamp.BROKEN)])
def test_a_move_of_the_table_is_made(now, to):
    assert moved(LAMP, now, to) is to


@pytest.mark.parametrize(
    ("now", "to"), [(Lamp.OFF, Lamp.OFF), (Lamp.BROKEN, Lamp.ON), (Lamp.BROKEN, Lamp.BROKEN), (Lamp.ON, Lamp.ON)]
)
def test_every_other_is_forbidden_and_named(now, to):
    with pytest.raises(Forbidden, match=f"^Lamp: {now} does not become {to}$"):
        moved(LAMP, now, to)


@pytest.mark.parametrize(("moves", "states"), ALL)
def test_nothing_comes_back_to_where_it_was(moves, states):
    """Every state is left for good: what is over stays over, whatever way one goes."""
    for start in states:
        reached, ways = set(), set(moves.get(start, ()))
        while ways:
            reached |= ways
            ways = {to for state in ways for to in moves.get(state, ())} - reached
        assert start not in reached
