import signal

import pytest

from relay.infra.process.hangup_signal import allow_hangups, block_hangups


@pytest.fixture
def hangups():
    """A list with one entry per handled SIGHUP."""
    handled = []
    previous = signal.signal(signal.SIGHUP, lambda *_: handled.append(1))
    yield handled
    allow_hangups()
    signal.signal(signal.SIGHUP, previous)


def test_a_blocked_hangup_is_delivered_later(hangups):
    block_hangups()
    signal.raise_signal(signal.SIGHUP)
    assert hangups == []
    allow_hangups()
    assert hangups == [1]
