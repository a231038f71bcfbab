import signal

import pytest

from relay.infra.process.hangup_signal import allow_hangups, block_hangups


@pytest.fixture
def hangups():
    """How often SIGHUP was taken."""
    taken = []
    former = signal.signal(signal.SIGHUP, lambda *_: taken.append(1))
    yield taken
    allow_hangups()
    signal.signal(signal.SIGHUP, former)


def test_a_blocked_hangup_comes_later_and_is_not_lost(hangups):
    block_hangups()
    signal.raise_signal(signal.SIGHUP)
    assert hangups == []
    allow_hangups()
    assert hangups == [1]
