"""A bound on all TLS handshakes under way."""

import contextlib
import socket


class HandshakePlaces:
    """At most `most` accepted sockets whose handshake is under way. One more shuts the oldest down.

    The oldest is that of a peer that sends nothing: one whose ClientHello has come becomes the newest (`renew`). While
    new sockets waited for a place instead, four addresses that sent nothing delayed each new connection by 3 s.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: dict[socket.socket, None] = {}

    def __contains__(self, accepted: socket.socket) -> bool:
        return accepted in self._under_way

    def add(self, accepted: socket.socket) -> None:
        """Give a socket a place, the oldest one's when there is no other."""
        if len(self._under_way) >= self._most:
            oldest = next(iter(self._under_way))
            self.remove(oldest)
            with contextlib.suppress(OSError):  # its peer has gone already
                oldest.shutdown(socket.SHUT_RDWR)
        self._under_way[accepted] = None

    def renew(self, accepted: socket.socket) -> None:
        """Make a socket the newest, if it has a place."""
        if accepted in self._under_way:
            del self._under_way[accepted]
            self._under_way[accepted] = None

    def remove(self, accepted: socket.socket) -> None:
        """Free the place of a socket whose handshake has ended, if it has one."""
        self._under_way.pop(accepted, None)
