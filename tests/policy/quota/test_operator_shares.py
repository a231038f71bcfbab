"""Places of an institution: one operator never takes all of them."""

import pytest

from relay.policy.quota.operator_shares import OperatorShares


def taken(shares, operator):
    """How many places the operator gets."""
    count = 0
    while shares.fits(operator):
        shares.take(operator)
        count += 1
    return count


@pytest.mark.parametrize(("most", "alone"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (64, 48)])
def test_one_operator_has_three_quarters_at_most(most, alone):
    assert taken(OperatorShares(most), "one") == alone


def test_each_further_operator_finds_places():
    shares = OperatorShares(64)
    assert [taken(shares, operator) for operator in ("one", "two", "three")] == [48, 12, 3]


def test_an_operator_without_a_name_has_all_places():
    shares = OperatorShares(64)
    assert (taken(shares, ""), shares.is_full()) == (64, True)


def test_what_is_given_back_can_be_taken_again():
    shares = OperatorShares(4)
    assert taken(shares, "one") == 3
    for _ in range(3):
        shares.release("one")
    assert (shares.taken, taken(shares, "two")) == (0, 3)


def test_places_of_calls_that_are_ending_count_beside():
    shares = OperatorShares(0)
    assert (shares.is_full(1), shares.is_full(), shares.take("one", 1)) == (False, True, True)
