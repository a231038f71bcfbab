"""The bound on handshakes under way: who loses its place to whom."""

import socket

import pytest

from relay.wire.handshake_places import HandshakePlaces


@pytest.fixture
def pairs():
    """Connected sockets: of each pair the accepted one and its peer's."""
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


def test_one_socket_beyond_the_limit_shuts_the_oldest_down(pairs):
    places = HandshakePlaces(2)
    for accepted, _ in pairs:
        places.add(accepted)
    assert [accepted in places for accepted, _ in pairs] == [False, True, True]
    assert pairs[0][1].recv(1) == b""


def test_a_removed_socket_is_not_shut_down(pairs):
    places = HandshakePlaces(2)
    places.add(pairs[0][0])
    places.add(pairs[1][0])
    places.remove(pairs[1][0])
    places.remove(pairs[1][0])
    places.add(pairs[2][0])
    assert [accepted in places for accepted, _ in pairs] == [True, False, True]


def test_a_closed_socket_gives_up_its_slot(pairs):
    places = HandshakePlaces(1)
    places.add(pairs[0][0])
    pairs[0][0].close()
    places.add(pairs[1][0])
    assert pairs[1][0] in places
