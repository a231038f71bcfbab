"""Sockets of listeners."""

import errno
import socket

import pytest

from relay.runtime.processes.sockets import bind_socket


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_bound_socket_does_not_listen_yet(address):
    with bind_socket(address, 0) as bound, socket.socket(bound.family) as peer:
        assert peer.connect_ex(bound.getsockname()[:2]) == errno.ECONNREFUSED


def test_an_address_in_use_is_named():
    with bind_socket("127.0.0.1", 0) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            bind_socket("127.0.0.1", port)
