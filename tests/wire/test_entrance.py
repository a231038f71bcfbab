"""The way in over loopback: who gets through the gate, and that everyone else is told of with a reason."""

import asyncio
import ipaddress
import socket
import ssl
import struct
from itertools import pairwise

import pytest
from entrances import HEADER, LOOPBACK, entrance, said

from relay.wire.entrance import Rejected, why_rejected


async def test_without_a_gate_everyone_comes_in():
    async with entrance() as here:
        assert await said(here.door.port) == b"hello"
        assert (here.guests[0].seen_from, here.rejected) == ("", [])


@pytest.mark.parametrize("cuts", [[], [1], [16], [15, 17], list(range(1, 28))])
async def test_a_header_in_any_segments_tells_the_address_and_what_follows_is_the_guests(cuts):
    data = HEADER + b"GET"
    edges = [0, *cuts, len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    async with entrance(balancers=LOOPBACK) as here:
        assert await said(here.door.port, *pieces) == b"hello"
        guest = here.guests[0]
        await guest.lost.wait()
        assert (guest.seen_from, guest.heard, here.rejected) == ("192.0.2.7", b"GET", [])


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n", HEADER[:14] + b"\xff\xff"]
)
async def test_who_announces_nobody_is_cut_and_told_of(sent):
    async with entrance(balancers=LOOPBACK) as here:
        assert await said(here.door.port, sent) == b""
        assert here.rejected == [("127.0.0.1", Rejected.NO_PROXY_HEADER)]


async def test_half_a_header_and_the_end_lets_nobody_in():
    async with entrance(balancers=LOOPBACK) as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.write(HEADER[:20])
        writer.write_eof()
        await here.told.wait()
        writer.transport.abort()
        assert here.rejected == [("127.0.0.1", Rejected.NO_PROXY_HEADER)]


async def test_a_header_that_never_comes_is_waited_for_no_longer_than_a_handshake():
    async with entrance(balancers=LOOPBACK, handshake_s=0.05) as here:
        assert await said(here.door.port, HEADER[:20]) == b""
        assert here.rejected == [("127.0.0.1", Rejected.TOO_SLOW)]


async def test_a_header_of_somebody_else_is_not_believed():
    async with entrance(balancers=(ipaddress.ip_network("192.0.2.0/24"),)) as here:
        assert await said(here.door.port, HEADER) == b""
        assert here.rejected == [("127.0.0.1", Rejected.NO_PROXY_HEADER)]


async def test_a_caller_for_whom_no_descriptor_is_left_is_told_of():
    async with entrance() as here:
        gone = socket.socket()
        gone.close()
        await here.door._admit(gone, "192.0.2.7")
        assert here.rejected == [("192.0.2.7", Rejected.CLOSED)]


async def test_who_hangs_up_at_once_is_no_trouble():
    async with entrance() as here:
        for _ in range(20):
            caller = socket.create_connection(("127.0.0.1", here.door.port))
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.close()
        assert await said(here.door.port) == b"hello"


async def test_few_callers_are_admitted_in_a_turn_of_the_loop():
    async with entrance() as here:
        callers = [socket.create_connection(("127.0.0.1", here.door.port)) for _ in range(20)]
        guests = [len(here.guests)]
        while len(here.guests) < len(callers):
            await asyncio.sleep(0)
            guests.append(len(here.guests))
        for caller in callers:
            caller.close()
        assert max(after - before for before, after in pairwise(guests)) == 4


async def test_after_the_close_nobody_comes_in():
    async with entrance() as here:
        port = here.door.port
        await here.door.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_half_a_header_blocks_no_other_caller():
    async with entrance(balancers=LOOPBACK) as here:
        _, silent = await asyncio.open_connection("127.0.0.1", here.door.port)
        silent.write(HEADER[:20])
        await here.listening.has_accepted(1)
        assert await said(here.door.port, HEADER) == b"hello"
        silent.transport.abort()


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_an_abort_closes_who_is_still_at_the_gate(turns):
    async with entrance(balancers=LOOPBACK) as here:
        caller = socket.create_connection(("127.0.0.1", here.door.port))
        caller.setblocking(False)
        await here.listening.has_accepted(1)  # with no turn more, its admission has not taken its first step
        for _ in range(turns):
            await asyncio.sleep(0)
        here.door.abort()
        async with asyncio.timeout(10):
            assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
        caller.close()
        assert here.listening.accepted[0].fileno() == -1


def verification(code):
    error = ssl.SSLCertVerificationError(1, "no")
    error.verify_code = code
    return error


def handshake(reason):
    error = ssl.SSLError(1, "no")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (verification(9), Rejected.CERTIFICATE_NOT_YET_VALID),
        (verification(10), Rejected.CERTIFICATE_EXPIRED),
        (verification(20), Rejected.CERTIFICATE_UNTRUSTED),
        (handshake("PEER_DID_NOT_RETURN_A_CERTIFICATE"), Rejected.CERTIFICATE_MISSING),
        (handshake("UNSUPPORTED_PROTOCOL"), Rejected.PROTOCOL),
        (ConnectionAbortedError("SSL handshake is taking longer than 5 seconds"), Rejected.TOO_SLOW),
        (TimeoutError(), Rejected.TOO_SLOW),
        (ConnectionResetError(), Rejected.CLOSED),
        (OSError(24, "Too many open files"), Rejected.NO_DESCRIPTORS),
        (OSError(23, "Too many open files in system"), Rejected.NO_DESCRIPTORS),
        (OSError(9, "Bad file descriptor"), Rejected.CLOSED),
    ],
)
def test_a_failed_handshake_has_a_reason(error, why):
    assert why_rejected(error) is why
