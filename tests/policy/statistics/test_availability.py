"""What is told of an institution by how it was met."""

import pytest

from relay.domain.statistics import Pulse
from relay.policy.statistics.availability import by_probe, by_pulse

NOW = 1_800_000_000.5


@pytest.mark.parametrize(
    ("answered", "failed", "failures", "told"),
    [
        (10, None, 0, "01"),
        (60, None, 0, "01"),
        (61, None, 0, None),
        (10, 5, 2, "01"),  # two in between are no failing yet
        (10, 5, 3, "02"),
        (5, 10, 3, "01"),  # it answered since
        (600, 5, 3, "02"),
        (600, 300, 3, "02"),
        (600, 301, 3, None),
        (None, 5, 3, "02"),
        (None, 5, 2, None),
        (None, None, 0, None),
        (-30, None, 0, "01"),  # clocks differ by seconds
        (-600, None, 0, None),  # and a wrong one tells nothing
        (600, -600, 9, None),
    ],
)
def test_calls_tell_while_they_are_young(answered, failed, failures, told):
    ago = [0 if seconds is None else 1_800_000_000 - seconds + (seconds > 0) for seconds in (answered, failed)]
    assert by_pulse(Pulse(*ago, failures), NOW) == told


def test_who_was_never_met_tells_nothing():
    assert by_pulse(None, NOW) is None


@pytest.mark.parametrize(("reached", "told"), [(True, "01"), (False, "02"), (None, "99")])
def test_a_connection_tells_the_rest(reached, told):
    assert by_probe(reached) == told
