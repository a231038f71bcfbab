import socket

import pytest

from relay.wire.handshake_slots import HandshakeSlots


@pytest.fixture
def pairs():
    """Pairs of connected sockets: the accepted socket and its peer."""
    pairs = [socket.socketpair() for _ in range(3)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


def test_one_socket_beyond_the_limit_shuts_the_oldest_down(pairs):
    slots = HandshakeSlots(2)
    for accepted, _ in pairs:
        slots.add(accepted)
    assert [accepted in slots for accepted, _ in pairs] == [False, True, True]
    assert pairs[0][1].recv(1) == b""


def test_a_removed_socket_is_not_shut_down(pairs):
    slots = HandshakeSlots(2)
    slots.add(pairs[0][0])
    slots.add(pairs[1][0])
    slots.remove(pairs[1][0])
    slots.remove(pairs[1][0])
    slots.add(pairs[2][0])
    assert [accepted in slots for accepted, _ in pairs] == [True, False, True]


def test_a_closed_socket_gives_up_its_slot(pairs):
    slots = HandshakeSlots(1)
    slots.add(pairs[0][0])
    pairs[0][0].close()
    slots.add(pairs[1][0])
    assert pairs[1][0] in slots
