"""Who holds the other end of a connection, read off its transport."""

from relay.domain.party import Peer
from relay.infra.upstream.tls import serial_of
from relay.wire.server import ServerConnection


def identify(connection: ServerConnection) -> Peer:
    """The peer of a connection: serial of its verified certificate (None without one), address of its socket.

    Behind a load balancer the address is the one its PROXY line told.
    """
    transport = connection.transport
    certificate = transport.get_extra_info("peercert")
    name = transport.get_extra_info("peername")
    address = connection.seen_from or (str(name[0]) if name else "")
    address = address.removeprefix("::ffff:")
    return Peer(serial_of(certificate) if certificate else None, address)
