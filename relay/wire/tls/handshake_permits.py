"""Limits all TLS handshakes under way together."""

import contextlib
import socket


class HandshakePermits:
    """Holds at most `max_sockets` accepted sockets whose handshake is under way. One more shuts the oldest down.

    A socket whose ClientHello has come becomes the newest (`renew`), so the oldest belongs to a silent peer. If new
    sockets waited for a place instead, four silent addresses delayed each new connection by 3 s.
    """

    def __init__(self, max_sockets: int) -> None:
        self._max_sockets = max_sockets
        self._under_way: dict[socket.socket, None] = {}

    def __contains__(self, accepted: socket.socket) -> bool:
        return accepted in self._under_way

    def add(self, accepted: socket.socket) -> None:
        """Adds a socket. If there is no place left, shuts the oldest socket down."""
        if len(self._under_way) >= self._max_sockets:
            oldest = next(iter(self._under_way))
            self.remove(oldest)
            with contextlib.suppress(OSError):  # its peer has disconnected already
                oldest.shutdown(socket.SHUT_RDWR)
        self._under_way[accepted] = None

    def renew(self, accepted: socket.socket) -> None:
        """Makes a socket the newest, if it is still held."""
        if accepted in self._under_way:
            del self._under_way[accepted]
            self._under_way[accepted] = None

    def remove(self, accepted: socket.socket) -> None:
        """Removes a socket whose handshake has ended, if it is still held."""
        self._under_way.pop(accepted, None)
