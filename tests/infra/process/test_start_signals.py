import signal

import pytest

from relay.infra.process.start_signals import STOPS, allow_hangups, allow_stops, block_signals


@pytest.fixture
def handled():
    """A list of the handled signals."""
    handled, kinds = [], (signal.SIGHUP, *STOPS)
    previous = [signal.signal(kind, lambda number, _: handled.append(number)) for kind in kinds]
    yield handled
    allow_hangups()
    allow_stops()
    for kind, handler in zip(kinds, previous, strict=True):
        signal.signal(kind, handler)


@pytest.mark.parametrize(
    ("kind", "allow"),
    [(signal.SIGHUP, allow_hangups), (signal.SIGTERM, allow_stops), (signal.SIGINT, allow_stops)],
)
def test_a_blocked_signal_is_delivered_later(handled, kind, allow):
    block_signals()
    signal.raise_signal(kind)
    assert handled == []
    allow()
    assert handled == [kind]


@pytest.mark.parametrize("kind", [signal.SIGUSR1, signal.SIGUSR2])
def test_signals_of_other_servers_are_ignored_at_once(kind):
    previous = signal.getsignal(kind)
    try:
        block_signals()
        signal.raise_signal(kind)
    finally:
        allow_stops()
        allow_hangups()
        signal.signal(kind, previous)
