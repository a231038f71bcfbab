"""Identifies the peer of a connection from its transport."""

from relay.domain.party import Peer
from relay.gateway.caller_connection import CallerConnection
from relay.infra.upstream.tls import get_serial_number


def identify_peer(connection: CallerConnection) -> Peer:
    """Returns serial of the verified certificate (None without one) and remote address.

    Behind a load balancer the address comes from its PROXY protocol header. The names of the certificate are dropped:
    the transport would keep them as long as the connection, about 3 KB.
    """
    transport = connection.transport
    certificate = transport.get_extra_info("peercert")
    name = transport.get_extra_info("peername")
    address = connection.announced_address or (str(name[0]) if name else "")
    address = address.removeprefix("::ffff:")
    if not certificate:
        return Peer(None, address)
    serial = get_serial_number(certificate)
    certificate.clear()
    return Peer(serial, address)
