"""Tokens are live until they are revoked, and their repr hides the digest."""

import pytest

from relay.domain.authorization.issued_tokens import TOKEN_MOVES, TokenKind, TokenPair, TokenRecord, TokenState
from relay.domain.transition import InvalidTransition, apply_transition

TOKEN = TokenRecord("jti1", TokenKind.ACCESS, "c1", "bank.list", 1, 2, b"Zq7marker")


def test_a_new_token_is_live_and_not_refreshed():
    assert (TOKEN.state, TOKEN.refreshed) == (TokenState.LIVE, False)


def test_a_live_token_is_revoked_once():
    assert apply_transition(TOKEN_MOVES, TokenState.LIVE, TokenState.REVOKED) is TokenState.REVOKED
    for state in TokenState:
        with pytest.raises(InvalidTransition):
            apply_transition(TOKEN_MOVES, TokenState.REVOKED, state)


def test_repr_hides_the_digest():
    assert "Zq7marker" not in repr(TokenPair(TOKEN, TOKEN))
