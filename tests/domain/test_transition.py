"""Only transitions of the table are allowed."""

from enum import StrEnum

import pytest

from relay.domain.authorization.consent import CONSENT_MOVES, ConsentState
from relay.domain.authorization.issued_tokens import TOKEN_MOVES, TokenState
from relay.domain.authorization.request import REQUEST_MOVES, RequestState
from relay.domain.transition import InvalidTransition, apply_transition


class Lamp(StrEnum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


LAMP = {Lamp.OFF: frozenset({Lamp.ON, Lamp.BROKEN}), Lamp.ON: frozenset({Lamp.OFF, Lamp.BROKEN})}
ALL = [(CONSENT_MOVES, ConsentState), (TOKEN_MOVES, TokenState), (REQUEST_MOVES, RequestState)]


@pytest.mark.parametrize(("now", "to"), [(Lamp.OFF, Lamp.ON), (Lamp.ON, Lamp.OFF), (Lamp.ON, Lamp.BROKEN)])
def test_a_transition_of_the_table_is_allowed(now, to):
    assert apply_transition(LAMP, now, to) is to


@pytest.mark.parametrize(
    ("now", "to"), [(Lamp.OFF, Lamp.OFF), (Lamp.BROKEN, Lamp.ON), (Lamp.BROKEN, Lamp.BROKEN), (Lamp.ON, Lamp.ON)]
)
def test_other_transitions_are_refused_by_name(now, to):
    with pytest.raises(InvalidTransition, match=f"^Lamp: {now} does not become {to}$"):
        apply_transition(LAMP, now, to)


@pytest.mark.parametrize(("transitions", "states"), ALL)
def test_no_state_is_reached_again(transitions, states):
    """No path of transitions leads back to a state."""
    for start in states:
        reached, following = set(), set(transitions.get(start, ()))
        while following:
            reached |= following
            following = {to for state in following for to in transitions.get(state, ())} - reached
        assert start not in reached
