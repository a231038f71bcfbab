"""Tests of the peer read from a transport."""

from types import SimpleNamespace

import pytest

from relay.domain.party import Peer
from relay.runtime.wiring.peer_identity import identify_peer


def connection(peername=("192.0.2.7", 40000), serials=("123-45-67890",), announced_address="", *, certificate=True):
    subject = tuple((("serialNumber", serial),) for serial in serials)
    extra_info = {"peername": peername, "peercert": {"subject": subject, "version": 3} if certificate else None}
    return SimpleNamespace(
        transport=SimpleNamespace(get_extra_info=extra_info.get), announced_address=announced_address
    )


@pytest.mark.parametrize(
    ("given", "peer"),
    [
        ({}, Peer("1234567890", "192.0.2.7")),
        ({"serials": ("ab 12-c",)}, Peer("AB12C", "192.0.2.7")),
        ({"serials": ()}, Peer("", "192.0.2.7")),
        ({"serials": ("1", "2")}, Peer("", "192.0.2.7")),  # ambiguous: readers could take either
        ({"certificate": False}, Peer(None, "192.0.2.7")),
        ({"peername": ("::ffff:192.0.2.7", 1, 0, 0)}, Peer("1234567890", "192.0.2.7")),
        ({"peername": ("2001:db8::7", 1, 0, 0)}, Peer("1234567890", "2001:db8::7")),
        ({"announced_address": "198.51.100.1"}, Peer("1234567890", "198.51.100.1")),
        ({"announced_address": "2001:db8::1"}, Peer("1234567890", "2001:db8::1")),
        ({"peername": None}, Peer("1234567890", "")),  # the connection closed before
    ],
)
def test_a_peer_has_certificate_serial_and_address(given, peer):
    assert identify_peer(connection(**given)) == peer
