import asyncio
import errno
import socket

import pytest

from relay.wire.tls.alert import Alert, keep_alert


class Accepted(socket.socket):
    """An accepted socket that counts its duplicates."""

    duplicates = 0
    is_last = False

    def dup(self):
        if self.is_last:
            raise OSError(errno.EMFILE, "Too many open files")
        self.duplicates += 1
        return super().dup()


@pytest.fixture
def pair():
    """An accepted socket, and its peer."""
    local, peer = socket.socketpair()
    accepted = Accepted(fileno=local.detach())
    accepted.setblocking(False)
    with accepted, peer:
        peer.settimeout(5)
        yield accepted, peer


async def send_and_close(alert):
    await alert.send(asyncio.get_running_loop())
    alert.close()


async def test_the_alert_is_sent_after_the_socket_was_closed(pair):
    accepted, peer = pair
    alert = Alert(accepted)
    keep_alert(b"alert")
    accepted.close()
    peer.shutdown(socket.SHUT_WR)
    await send_and_close(alert)
    assert (peer.recv(9), peer.recv(9)) == (b"alert", b"")


async def test_a_handshake_without_an_alert_duplicates_no_socket(pair):
    accepted, peer = pair
    alert = Alert(accepted)
    keep_alert(b"")
    await send_and_close(alert)
    accepted.close()
    assert (accepted.duplicates, peer.recv(9)) == (0, b"")


async def test_without_a_free_descriptor_the_alert_is_dropped(pair):
    accepted, peer = pair
    accepted.is_last = True
    alert = Alert(accepted)
    keep_alert(b"alert")
    await send_and_close(alert)
    accepted.close()
    assert peer.recv(9) == b""


async def test_failures_after_close_keep_no_alert(pair):
    accepted, _ = pair
    Alert(accepted).close()
    keep_alert(b"alert of an institution's handshake")
    assert accepted.duplicates == 0


def test_an_alert_without_a_holder_is_dropped():
    keep_alert(b"alert")
