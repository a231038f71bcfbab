"""Workers with too many connections close the excess."""

import pytest

from relay.policy.quota.worker_balance import find_excess


@pytest.mark.parametrize(
    ("connections", "excess"),
    [
        ((), []),
        ((0, 0), [0, 0]),
        ((120, 120), [0, 0]),
        ((75, 45), [0, 0]),  # 1.25 times the mean
        ((76, 44), [16, 0]),
        ((15, 75, 75, 75), [0, 0, 0, 0]),  # only what exceeds is moved; none is 1.25 times the mean of 60
        ((86, 72, 53, 29), [26, 0, 0, 0]),
        ((100, 100, 20, 20), [40, 40, 0, 0]),
        ((7, 1), [0, 0]),  # 3 above the mean: chance
        ((9, 1), [4, 0]),
    ],
)
def test_the_excess_over_the_mean_is_found(connections, excess):
    assert find_excess(connections) == excess
