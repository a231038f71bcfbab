import random

import pytest

from relay.policy.quota.operator_shares import OperatorLimits, OperatorShares


def take_all(shares, operator):
    """Take permits until the operator gets no more. Returns their number."""
    count = 0
    while shares.fits(operator):
        shares.take(operator)
        count += 1
    return count


@pytest.mark.parametrize(("most", "alone"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (64, 48)])
def test_one_operator_has_three_quarters_at_most(most, alone):
    assert take_all(OperatorShares(most), "one") == alone


def test_each_further_operator_gets_permits():
    shares = OperatorShares(64)
    assert [take_all(shares, operator) for operator in ("one", "two", "three")] == [48, 12, 3]


def test_an_operator_without_a_name_may_take_all_permits():
    shares = OperatorShares(64)
    assert (take_all(shares, ""), shares.is_full()) == (64, True)


def test_a_released_permit_can_be_taken_again():
    shares = OperatorShares(4)
    assert take_all(shares, "one") == 3
    for _ in range(3):
        shares.release("one")
    assert (shares.taken, take_all(shares, "two")) == (0, 3)


def test_permits_of_ending_calls_are_added_to_the_limit():
    shares = OperatorShares(0)
    assert (shares.is_full(1), shares.is_full(), shares.take("one", 1)) == (False, True, True)


def test_shares_are_in_proportion_to_the_weights():
    shares, chance = OperatorShares(32, OperatorLimits(weights={"heavy": 2.0})), random.Random(1)
    held = []
    for _ in range(2000):
        while not (ready := [operator for operator in ("heavy", "light") if shares.fits(operator)]):
            shares.release(held.pop(chance.randrange(len(held))))
        operator = min(ready, key=shares.get_part)  # as waiting calls begin
        assert shares.take(operator)
        held.append(operator)
    assert shares.taken_by("heavy") == pytest.approx(2 * shares.taken_by("light"), abs=3)
