import asyncio
import errno
import ipaddress
import socket
import ssl
import struct
from itertools import pairwise

import pytest
from entrances import HEADER, LOOPBACK, Disconnected, open_acceptor, send_and_read

from relay.wire.acceptor import RejectionReason, get_rejection_reason


async def test_without_balancers_and_tls_each_connection_is_accepted():
    async with open_acceptor() as setup:
        assert await send_and_read(setup.acceptor.port) == b"hello"
        assert (setup.connections[0].announced_address, setup.rejected) == ("", [])


@pytest.mark.parametrize("cuts", [[], [1], [16], [15, 17], list(range(1, 28))])
async def test_a_header_in_any_segments_announces_the_address(cuts):
    data = HEADER + b"GET"
    edges = [0, *cuts, len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    async with open_acceptor(balancers=LOOPBACK) as setup:
        assert await send_and_read(setup.acceptor.port, *pieces) == b"hello"
        connection = setup.connections[0]
        await connection.lost.wait()
        assert (connection.announced_address, connection.received, setup.rejected) == ("192.0.2.7", b"GET", [])


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n", HEADER[:14] + b"\xff\xff"]
)
async def test_a_connection_without_proxy_header_is_rejected(sent):
    async with open_acceptor(balancers=LOOPBACK) as setup:
        assert await send_and_read(setup.acceptor.port, sent) == b""
        assert setup.rejected == [("127.0.0.1", RejectionReason.NO_PROXY_HEADER)]


async def test_a_connection_that_ends_in_its_header_is_rejected():
    async with open_acceptor(balancers=LOOPBACK) as setup:
        _, writer = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        writer.write(HEADER[:20])
        writer.write_eof()
        await setup.is_rejected.wait()
        writer.transport.abort()
        assert setup.rejected == [("127.0.0.1", RejectionReason.NO_PROXY_HEADER)]


async def test_the_header_must_come_within_the_handshake_time():
    async with open_acceptor(balancers=LOOPBACK, handshake_s=0.05) as setup:
        assert await send_and_read(setup.acceptor.port, HEADER[:20]) == b""
        assert setup.rejected == [("127.0.0.1", RejectionReason.TOO_SLOW)]


async def test_a_header_of_an_untrusted_address_is_rejected():
    async with open_acceptor(balancers=(ipaddress.ip_network("192.0.2.0/24"),)) as setup:
        assert await send_and_read(setup.acceptor.port, HEADER) == b""
        assert setup.rejected == [("127.0.0.1", RejectionReason.NO_PROXY_HEADER)]


async def test_a_closed_descriptor_is_reported():
    async with open_acceptor() as setup:
        setup.listening.accepted_class = Disconnected
        assert await send_and_read(setup.acceptor.port) == b""
        assert setup.rejected == [("127.0.0.1", RejectionReason.CLOSED)]


async def test_connections_that_reset_at_once_do_no_harm():
    async with open_acceptor() as setup:
        for _ in range(20):
            caller = socket.create_connection(("127.0.0.1", setup.acceptor.port))
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.close()
        assert await send_and_read(setup.acceptor.port) == b"hello"


async def test_few_connections_are_accepted_in_a_turn_of_the_loop():
    async with open_acceptor() as setup:
        callers = [socket.create_connection(("127.0.0.1", setup.acceptor.port)) for _ in range(20)]
        counts = [len(setup.connections)]
        while len(setup.connections) < len(callers):
            await asyncio.sleep(0)
            counts.append(len(setup.connections))
        for caller in callers:
            caller.close()
        assert max(after - before for before, after in pairwise(counts)) == 4


async def test_after_close_no_connection_is_accepted():
    async with open_acceptor() as setup:
        port = setup.acceptor.port
        await setup.acceptor.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_half_a_header_blocks_no_other_connection():
    async with open_acceptor(balancers=LOOPBACK) as setup:
        _, silent = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        silent.write(HEADER[:20])
        await setup.listening.wait_for_accepted(1)
        assert setup.acceptor.has_handshakes
        assert await send_and_read(setup.acceptor.port, HEADER) == b"hello"
        silent.transport.abort()


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_abort_closes_connections_under_way(turns):
    async with open_acceptor(balancers=LOOPBACK) as setup:
        caller = socket.create_connection(("127.0.0.1", setup.acceptor.port))
        caller.setblocking(False)
        await setup.listening.wait_for_accepted(1)  # without a further turn its task has not started
        for _ in range(turns):
            await asyncio.sleep(0)
        setup.acceptor.abort()
        async with asyncio.timeout(10):
            assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
        caller.close()
        assert setup.listening.accepted[0].fileno() == -1


def build_verification_error(code):
    error = ssl.SSLCertVerificationError(1, "no")
    error.verify_code = code
    return error


def build_handshake_error(reason):
    error = ssl.SSLError(1, "no")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (build_verification_error(9), RejectionReason.CERTIFICATE_NOT_YET_VALID),
        (build_verification_error(10), RejectionReason.CERTIFICATE_EXPIRED),
        (build_verification_error(20), RejectionReason.CERTIFICATE_UNTRUSTED),
        (build_handshake_error("PEER_DID_NOT_RETURN_A_CERTIFICATE"), RejectionReason.CERTIFICATE_MISSING),
        (build_handshake_error("UNSUPPORTED_PROTOCOL"), RejectionReason.PROTOCOL),
        (ConnectionAbortedError("SSL handshake is taking longer than 5 seconds"), RejectionReason.TOO_SLOW),
        (TimeoutError(), RejectionReason.TOO_SLOW),
        (ConnectionResetError(), RejectionReason.CLOSED),
        (OSError(24, "Too many open files"), RejectionReason.NO_DESCRIPTORS),
        (OSError(23, "Too many open files in system"), RejectionReason.NO_DESCRIPTORS),
        (OSError(errno.ENOBUFS, "No buffer space available"), RejectionReason.NO_MEMORY),
        (OSError(9, "Bad file descriptor"), RejectionReason.CLOSED),
    ],
)
def test_a_failed_handshake_has_a_reason(error, reason):
    assert get_rejection_reason(error) is reason
