"""The alert of a failed handshake is sent after the event loop has closed the socket."""

import asyncio
import errno
import socket

import pytest

from relay.wire.alert import Alert, keep_alert


class Accepted(socket.socket):
    """An accepted socket that notes how often it was duplicated."""

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
    ours, theirs = socket.socketpair()
    accepted = Accepted(fileno=ours.detach())
    accepted.setblocking(False)
    with accepted, theirs:
        theirs.settimeout(5)
        yield accepted, theirs


async def sent(alert):
    await alert.send(asyncio.get_running_loop())
    alert.close()


async def test_the_alert_is_sent_though_the_socket_was_closed(pair):
    accepted, theirs = pair
    alert = Alert(accepted)
    keep_alert(b"alert")
    accepted.close()
    theirs.shutdown(socket.SHUT_WR)
    await sent(alert)
    assert (theirs.recv(9), theirs.recv(9)) == (b"alert", b"")


async def test_a_handshake_without_an_alert_duplicates_nothing(pair):
    accepted, theirs = pair
    alert = Alert(accepted)
    keep_alert(b"")
    await sent(alert)
    accepted.close()
    assert (accepted.duplicates, theirs.recv(9)) == (0, b"")


async def test_without_a_free_descriptor_the_alert_is_dropped(pair):
    accepted, theirs = pair
    accepted.is_last = True
    alert = Alert(accepted)
    keep_alert(b"alert")
    await sent(alert)
    accepted.close()
    assert theirs.recv(9) == b""


async def test_failures_after_the_end_of_the_handshake_keep_nothing(pair):
    accepted, _ = pair
    Alert(accepted).close()
    keep_alert(b"alert of an institution's handshake")
    assert accepted.duplicates == 0


def test_an_alert_that_is_sent_by_nobody_is_dropped():
    keep_alert(b"alert")
