"""Identifies the peer of a connection from its transport."""

from relay.domain.party import Peer
from relay.infra.upstream.tls import get_serial_number
from relay.wire.server import ServerConnection


def identify_peer(connection: ServerConnection) -> Peer:
    """Returns serial of the verified certificate (None without one) and remote address.

    Behind a load balancer the address comes from its PROXY protocol header.
    """
    transport = connection.transport
    certificate = transport.get_extra_info("peercert")
    name = transport.get_extra_info("peername")
    address = connection.announced_address or (str(name[0]) if name else "")
    address = address.removeprefix("::ffff:")
    return Peer(get_serial_number(certificate) if certificate else None, address)
