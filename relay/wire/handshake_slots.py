"""Limits all TLS handshakes under way together."""

import contextlib
import socket


class HandshakeSlots:
    """Holds at most `most` accepted sockets whose handshake is under way. One more shuts the oldest down.

    A socket whose ClientHello has come becomes the newest (`renew`), so the oldest belongs to a silent peer. If new
    sockets waited for a place instead, four silent addresses delayed each new connection by 3 s.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: dict[socket.socket, None] = {}

    def __contains__(self, accepted: socket.socket) -> bool:
        return accepted in self._under_way

    def add(self, accepted: socket.socket) -> None:
        """Add a socket. If there is no place left, shut the oldest socket down."""
        if len(self._under_way) >= self._most:
            oldest = next(iter(self._under_way))
            self.remove(oldest)
            with contextlib.suppress(OSError):  # its peer has disconnected already
                oldest.shutdown(socket.SHUT_RDWR)
        self._under_way[accepted] = None

    def renew(self, accepted: socket.socket) -> None:
        """Make a socket the newest, if it is still held."""
        if accepted in self._under_way:
            del self._under_way[accepted]
            self._under_way[accepted] = None

    def remove(self, accepted: socket.socket) -> None:
        """Remove a socket whose handshake has ended, if it is still held."""
        self._under_way.pop(accepted, None)
