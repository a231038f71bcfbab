import socket

import pytest

from relay.wire.tls.handshake_permits import HandshakePermits


@pytest.fixture
def pairs():
    """Pairs of connected sockets: the accepted socket and its peer."""
    pairs = [socket.socketpair() for _ in range(3)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


def test_one_socket_beyond_the_limit_shuts_the_oldest_down(pairs):
    permits = HandshakePermits(2)
    for accepted, _ in pairs:
        permits.add(accepted)
    assert [accepted in permits for accepted, _ in pairs] == [False, True, True]
    assert pairs[0][1].recv(1) == b""


def test_a_removed_socket_is_not_shut_down(pairs):
    permits = HandshakePermits(2)
    permits.add(pairs[0][0])
    permits.add(pairs[1][0])
    permits.remove(pairs[1][0])
    permits.remove(pairs[1][0])
    permits.add(pairs[2][0])
    assert [accepted in permits for accepted, _ in pairs] == [True, False, True]


def test_a_closed_socket_gives_up_its_permit(pairs):
    permits = HandshakePermits(1)
    permits.add(pairs[0][0])
    pairs[0][0].close()
    permits.add(pairs[1][0])
    assert pairs[1][0] in permits
