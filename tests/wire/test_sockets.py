import asyncio
import socket

import pytest

from relay.wire.sockets import (
    RECEIVE_BYTES,
    SEND_BYTES,
    build_readable,
    limit_socket_buffers,
    limit_tls_read_ahead,
    open_tls_socket,
    report_unreadable,
)


class Transport(asyncio.BaseTransport):
    """A plain transport without a read buffer."""

    def __init__(self, connected=None):
        super().__init__({"socket": connected})


class Tls(Transport):
    def set_read_buffer_limits(self, high):
        self.high = high


@pytest.fixture
def pair():
    ours, peer = socket.socketpair()
    yield ours, peer
    ours.close()
    peer.close()


def test_a_socket_is_readable_once_bytes_have_come(pair):
    readable = build_readable(Transport(pair[0]))
    assert not readable(0)
    pair[1].send(b"x")
    assert readable(0)
    pair[0].recv(1)
    assert not readable(0)


def test_a_socket_is_readable_at_the_end_of_the_peer(pair):
    readable = build_readable(Transport(pair[0]))
    pair[1].close()
    assert readable(0)


def test_a_transport_without_a_socket_is_report_unreadable():
    assert build_readable(Transport()) is report_unreadable
    assert not report_unreadable(0)


def test_tls_reads_little_ahead(pair):
    transport = Tls(pair[0])
    limit_tls_read_ahead(transport)
    assert transport.high == 16 * 1024
    limit_tls_read_ahead(Transport(pair[0]))


def test_a_socket_for_tls_has_a_small_receive_buffer():
    with open_tls_socket(socket.AF_INET, socket.SOCK_STREAM, 0) as opened:
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 32 * 1024  # Linux doubles it for its own use


def test_accepted_sockets_inherit_their_limits():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        limit_socket_buffers(listening)
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            sizes = [accepted.getsockopt(socket.SOL_SOCKET, name) for name in (socket.SO_RCVBUF, socket.SO_SNDBUF)]
    assert sizes == [2 * RECEIVE_BYTES, 2 * SEND_BYTES]  # Linux doubles the size for its own use
