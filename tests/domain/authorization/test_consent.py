"""A consent ends after its last day in Korea, and its repr hides the customer."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from relay.domain.authorization.consent import (
    CONSENT_MOVES,
    Asset,
    Authentication,
    Consent,
    ConsentState,
    Particulars,
    Target,
    build_scope,
)
from relay.domain.transition import InvalidTransition, apply_transition

PARTICULARS = Particulars(
    is_scheduled=False,
    end_date=date(2027, 12, 31),
    purpose="p",
    period=date(9999, 12, 31),
    targets=(Target("bank.list"), Target("bank.deposit", (Asset("Zq7marker"),)), Target("bank.list")),
)


@pytest.mark.parametrize(
    ("last_day", "moment"),
    [
        (date(2027, 12, 31), datetime(2027, 12, 31, 15, tzinfo=UTC)),
        (date(2028, 2, 28), datetime(2028, 2, 28, 15, tzinfo=UTC)),
        (date(9999, 12, 31), datetime(9999, 12, 31, 15, tzinfo=UTC)),
    ],
)
def test_the_last_day_ends_at_midnight_in_korea(last_day, moment):
    assert replace(PARTICULARS, end_date=last_day).ends_at == moment.timestamp()


def test_scopes_are_listed_once_in_the_order_of_targets():
    assert PARTICULARS.scopes == ("bank.list", "bank.deposit")


@pytest.mark.parametrize(
    ("scopes", "scope"),
    [
        ((), "bank.list"),
        (("bank.deposit", "bank.list", "bank.deposit", "bank.loan"), "bank.list bank.deposit bank.loan"),
    ],
)
def test_a_token_scope_has_the_list_scope_first_and_no_repetition(scopes, scope):
    assert build_scope("bank", scopes) == scope


@pytest.mark.parametrize("to", [ConsentState.REVOKED, ConsentState.REPLACED, ConsentState.ENDED])
def test_all_states_but_active_are_final(to):
    assert apply_transition(CONSENT_MOVES, ConsentState.ACTIVE, to) is to
    for other in ConsentState:
        with pytest.raises(InvalidTransition):
            apply_transition(CONSENT_MOVES, to, other)


def test_repr_hides_the_customer_and_the_assets():
    consent = Consent("c1", "P", "O", "s", Authentication.INDIVIDUAL, PARTICULARS, 1, "Zq7marker")
    assert "Zq7marker" not in repr(consent)
    assert consent.state is ConsentState.ACTIVE
