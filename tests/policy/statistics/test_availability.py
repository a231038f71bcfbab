"""Availability of institutions."""

import pytest

from relay.domain.statistics import Pulse
from relay.policy.statistics.availability import by_probe, by_pulse

NOW = 1_800_000_000.5


@pytest.mark.parametrize(
    ("answered", "failed", "failures", "availability"),
    [
        (10, None, 0, "01"),
        (60, None, 0, "01"),
        (61, None, 0, None),
        (10, 5, 2, "01"),  # two failures are too few
        (10, 5, 3, "02"),
        (5, 10, 3, "01"),  # it answered since
        (600, 5, 3, "02"),
        (600, 300, 3, "02"),
        (600, 301, 3, None),
        (None, 5, 3, "02"),
        (None, 5, 2, None),
        (None, None, 0, None),
        (-30, None, 0, "01"),  # clocks differ by seconds
        (-600, None, 0, None),  # a wrong clock is ignored
        (600, -600, 9, None),
    ],
)
def test_recent_calls_determine_the_availability(answered, failed, failures, availability):
    ago = [0 if seconds is None else 1_800_000_000 - seconds + (seconds > 0) for seconds in (answered, failed)]
    assert by_pulse(Pulse(*ago, failures), NOW) == availability


def test_without_calls_the_availability_is_unknown():
    assert by_pulse(None, NOW) is None


@pytest.mark.parametrize(("reached", "availability"), [(True, "01"), (False, "02"), (None, "99")])
def test_a_probe_determines_the_availability(reached, availability):
    assert by_probe(reached) == availability
