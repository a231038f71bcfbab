"""Handshakes: how many there may be, what they hold, and how they end."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from entrances import HEADER, LOOPBACK, PATIENCE_S, entrance, said

from relay.infra.upstream.tls import server_context
from relay.sandbox.certificates import make_dev_certificates
from relay.wire.entrance import Rejected
from relay.wire.handshake_turns import HandshakeTurns
from relay.wire.sockets import RECEIVE_BYTES, SEND_BYTES


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """The contexts of the relay, of an operator and of a caller without a certificate."""
    certificates = make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))
    relay, ca = certificates.relay, str(certificates.ca)
    context = server_context(str(relay.certificate), str(relay.private_key), ca)
    operator, nobody = (ssl.create_default_context(cafile=ca) for _ in range(2))
    pair = certificates.operators[0]
    operator.load_cert_chain(pair.certificate, pair.private_key)
    return SimpleNamespace(listening=lambda: context, operator=operator, nobody=nobody)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = client_hello()


def descriptors():
    """How many this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_caller_beyond_its_limit_is_closed_before_tls():
    async with entrance(most=1) as here:
        assert await said(here.door.port) == b"hello"
        assert await said(here.door.port) == b""
        assert here.rejected == [("127.0.0.1", Rejected.HANDSHAKES_EXCEEDED)]
        assert (len(here.guests), here.limits.released) == (1, ["127.0.0.1"])


class CountedTurns(HandshakeTurns):
    """Notes who takes a turn, and how many were ended by their handshake."""

    def __init__(self, *rest):
        super().__init__(*rest)
        self.addresses = []
        self.ended = 0

    async def take(self, address):
        self.addresses.append(address)
        turn = await super().take(address)

        def end():
            self.ended += 1
            turn.end()

        return SimpleNamespace(end=end)


class NoTurns(HandshakeTurns):
    """Grants no turn before `granted` is set; `is_awaited` is set when one is waited for."""

    def __init__(self, *rest):
        super().__init__(*rest)
        self.is_awaited = asyncio.Event()
        self.granted = asyncio.Event()

    async def take(self, address):
        self.is_awaited.set()
        await self.granted.wait()
        return await super().take(address)


class LateTurns(HandshakeTurns):
    """Grants each turn when the time of its handshake is over."""

    async def take(self, address):
        turn = await super().take(address)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        return turn


@pytest.mark.parametrize("size", [0, 1, 100])
async def test_a_peer_that_sends_part_of_a_hello_takes_no_turn(tls, size):
    async with entrance(context=tls.listening, turns=CountedTurns) as here:
        slow = [await asyncio.open_connection("127.0.0.1", here.door.port) for _ in range(8)]
        for _, writer in slow:
            writer.write(HELLO[:size])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", here.door.port, ssl=tls.operator, server_hostname="localhost"
        )
        assert await reader.readexactly(5) == b"hello"
        assert here.gate.turns.addresses == ["127.0.0.1"]
        for _, open_writer in [*slow, (reader, writer)]:
            open_writer.transport.abort()


async def test_a_hello_that_comes_byte_by_byte_is_answered(tls):
    async with entrance(context=tls.listening) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        for byte in HELLO:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readexactly(1) == b"\x16"  # ServerHello
        writer.transport.abort()


async def test_a_peer_that_ends_within_its_hello_is_closed(tls):
    async with entrance(context=tls.listening) as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.write(HELLO[:100])
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.CLOSED)]
        writer.close()


async def test_urgent_data_in_a_part_of_a_hello_takes_no_turn(tls):
    async with entrance(context=tls.listening, turns=CountedTurns, handshake_s=0.3) as here:
        with socket.create_connection(("127.0.0.1", here.door.port)) as peer:
            peer.sendall(HELLO[:50])
            peer.send(b"!", socket.MSG_OOB)
            peer.sendall(HELLO[50:-1])
            async with asyncio.timeout(PATIENCE_S):
                await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.TOO_SLOW)]
        assert here.gate.turns.addresses == []


async def test_a_part_of_a_hello_is_waited_for_no_longer_than_the_rest(tls):
    async with entrance(context=tls.listening, handshake_s=0.05) as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.write(HELLO[:100])
        async with asyncio.timeout(PATIENCE_S):
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.TOO_SLOW)]
        writer.close()


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x00\x00" * 33, b"\x16\x03\x01\xff\xff"])
async def test_a_hello_beyond_its_bounds_counts_as_protocol(tls, hello):
    async with entrance(context=tls.listening, turns=CountedTurns) as here:
        assert await said(here.door.port, hello) == b""
        assert here.rejected == [("127.0.0.1", Rejected.PROTOCOL)]
        assert (here.gate.turns.addresses, here.limits.failed) == ([], 1)


async def test_a_handshake_ends_its_turn(tls):
    async with entrance(context=tls.listening, turns=CountedTurns) as here:
        assert await shake_hands(here.door.port, tls.operator) == b"hello"
        assert await shake_hands(here.door.port, tls.nobody) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        while here.door._handshakes:
            await asyncio.wait(here.door._handshakes)
        assert (len(here.gate.turns.addresses), here.gate.turns.ended) == (2, 2)


async def test_a_socket_is_readable_by_one_byte_again_after_its_hello(tls):
    async with entrance(context=tls.listening) as here:
        with socket.create_connection(("127.0.0.1", here.door.port)) as peer:
            peer.sendall(HELLO[:50])
            await here.listening.has_accepted(1)
            await asyncio.sleep(0)
            peer.setblocking(False)
            peer.sendall(HELLO[50:])
            async with asyncio.timeout(PATIENCE_S):
                assert await asyncio.get_running_loop().sock_recv(peer, 1) == b"\x16"  # ServerHello
            (accepted,) = here.listening.accepted
            assert accepted.options[-1] == (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def test_a_socket_that_lost_its_place_while_it_waited_ends(tls):
    async with entrance(context=tls.listening, turns=NoTurns, slots=1) as here:
        _, waiting = await asyncio.open_connection("127.0.0.1", here.door.port)
        waiting.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await here.gate.turns.is_awaited.wait()
            _, second = await asyncio.open_connection("127.0.0.1", here.door.port)
            await here.listening.has_accepted(2)
            here.gate.turns.granted.set()
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.HANDSHAKES_EXCEEDED)]
        assert here.guests[0].heard == b""
        for writer in (waiting, second):
            writer.transport.abort()


async def test_a_turn_that_comes_too_late_is_named_so(tls):
    async with entrance(context=tls.listening, turns=LateTurns, handshake_s=0.05) as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.TURN_TIMEOUT)]
        writer.close()


async def test_a_handshake_that_gets_no_turn_is_named_so(tls):
    async with entrance(context=tls.listening, turns=NoTurns, handshake_s=0.05) as here:
        _, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.TURN_TIMEOUT)]
        writer.close()


async def test_a_silent_peer_loses_its_place_before_one_that_waits(tls):
    async with entrance(context=tls.listening, turns=NoTurns, slots=2) as here:
        _, waiting = await asyncio.open_connection("127.0.0.1", here.door.port)
        reader, silent = await asyncio.open_connection("127.0.0.1", here.door.port)
        await here.listening.has_accepted(2)
        waiting.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await here.gate.turns.is_awaited.wait()
            _, third = await asyncio.open_connection("127.0.0.1", here.door.port)
            assert await reader.read() == b""
        for writer in (waiting, silent, third):
            writer.transport.abort()


async def test_behind_a_balancer_the_announced_address_is_limited():
    async with entrance(balancers=LOOPBACK, most=1) as here:
        assert [await said(here.door.port, HEADER) for _ in range(2)] == [b"hello", b""]
        assert here.limits.taken == ["192.0.2.7"]
        assert here.rejected == [("192.0.2.7", Rejected.HANDSHAKES_EXCEEDED)]


async def test_a_silent_balancer_gives_its_place_to_the_next_caller():
    async with entrance(balancers=LOOPBACK, slots=1) as here:
        reader, slow = await asyncio.open_connection("127.0.0.1", here.door.port)
        slow.write(HEADER[:20])
        assert await said(here.door.port, HEADER) == b"hello"
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.HANDSHAKES_EXCEEDED)]
        slow.transport.abort()


async def test_silent_peers_delay_no_handshake(tls):
    async with entrance(context=tls.listening, slots=4) as here:
        silent = [await asyncio.open_connection("127.0.0.1", here.door.port) for _ in range(8)]
        assert await shake_hands(here.door.port, tls.operator) == b"hello"
        async with asyncio.timeout(PATIENCE_S):
            assert [await reader.read() for reader, _ in silent[:5]] == [b""] * 5
        assert here.rejected == [("127.0.0.1", Rejected.HANDSHAKES_EXCEEDED)] * 5
        for _, writer in silent:
            writer.transport.abort()


async def shake_hands(port, context):
    """What the relay says over TLS, or the alert it sends."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        async with asyncio.timeout(PATIENCE_S):
            heard = await reader.read(5)
    except ssl.SSLError as error:
        return error.reason
    writer.transport.abort()
    return heard


async def test_a_handshake_takes_one_descriptor_and_is_acknowledged(tls):
    async with entrance(context=tls.listening) as here:
        assert await shake_hands(here.door.port, tls.operator) == b"hello"
        (accepted,) = here.listening.accepted
        assert accepted.duplicates == 0
        assert accepted.options[-1] == (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def test_the_kernel_keeps_little_for_a_caller_that_does_not_read():
    async with entrance() as here:
        assert await said(here.door.port) == b"hello"
        listening = here.listening
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BYTES
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * RECEIVE_BYTES


async def test_a_failed_handshake_sends_its_alert_and_keeps_no_descriptor(tls):
    async with entrance(context=tls.listening) as here:
        before = descriptors()
        for _ in range(5):
            assert await shake_hands(here.door.port, tls.nobody) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        while here.door._handshakes:
            await asyncio.wait(here.door._handshakes)
        assert [accepted.duplicates for accepted in here.listening.accepted] == [1] * 5
        assert descriptors() <= before
        assert here.rejected == [("127.0.0.1", Rejected.CERTIFICATE_MISSING)] * 5
        assert here.limits.failed == 5


async def test_a_handshake_that_succeeds_or_is_left_has_not_failed(tls):
    async with entrance(context=tls.listening) as here:
        assert await shake_hands(here.door.port, tls.operator) == b"hello"
        _, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await here.told.wait()
        assert here.rejected == [("127.0.0.1", Rejected.CLOSED)]
        assert (len(here.limits.released), here.limits.failed) == (2, 0)
