"""A request is authenticated and then consented, or denied, or locked."""

import itertools

import pytest

from relay.domain.authorization.request import (
    MAX_LOGINS,
    REQUEST_MOVES,
    AuthorizationCode,
    AuthorizationRequest,
    RequestState,
)
from relay.domain.transition import InvalidTransition, apply_transition

ALLOWED = {
    ("open", "authenticated"),
    ("open", "denied"),
    ("open", "locked"),
    ("authenticated", "consented"),
    ("authenticated", "denied"),
}


@pytest.mark.parametrize(("now", "to"), list(itertools.product(RequestState, RequestState)))
def test_only_the_listed_moves_are_allowed(now, to):
    if (now, to) in ALLOWED:
        assert apply_transition(REQUEST_MOVES, now, to) is to
    else:
        with pytest.raises(InvalidTransition):
            apply_transition(REQUEST_MOVES, now, to)


def test_five_wrong_logins_are_allowed():
    assert MAX_LOGINS == 5


def test_repr_hides_the_customer_and_the_code():
    request = AuthorizationRequest("r", "P", "O", "s", "https://x", "x", "st", "t", 1, 2, "Zq7marker")
    assert "Zq7marker" not in repr(request) + repr(AuthorizationCode(b"Zq7marker", 1))
    assert (request.state, request.failures) == (RequestState.OPEN, 0)
