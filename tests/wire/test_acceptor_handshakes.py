import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from entrances import HEADER, LOOPBACK, PATIENCE_S, open_acceptor, send_and_read
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.infra.upstream.tls import build_server_context
from relay.wire.acceptor import RejectionReason
from relay.wire.sockets import RECEIVE_BYTES, SEND_BYTES
from relay.wire.tls.handshake_turns import HandshakeTurns


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """The contexts of the relay, of an operator and of a caller without a certificate."""
    certificates = make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))
    relay, ca = certificates.relay, str(certificates.ca)
    context = build_server_context(str(relay.certificate), str(relay.private_key), ca)
    operator, uncertified = (ssl.create_default_context(cafile=ca) for _ in range(2))
    pair = certificates.operators[0]
    operator.load_cert_chain(pair.certificate, pair.private_key)
    return SimpleNamespace(listening=lambda: context, operator=operator, uncertified=uncertified)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = client_hello()


def count_descriptors():
    """Return the number of descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_connection_beyond_its_limit_is_closed_before_tls():
    async with open_acceptor(most=1) as setup:
        assert await send_and_read(setup.acceptor.port) == b"hello"
        assert await send_and_read(setup.acceptor.port) == b""
        assert setup.rejected == [("127.0.0.1", RejectionReason.HANDSHAKES_EXCEEDED)]
        assert (len(setup.connections), setup.limits.released) == (1, ["127.0.0.1"])


class CountedTurns(HandshakeTurns):
    """Keeps the addresses of turns and the number that handshakes have ended."""

    def __init__(self, *args):
        super().__init__(*args)
        self.addresses = []
        self.ended = 0

    async def acquire(self, address):
        self.addresses.append(address)
        turn = await super().acquire(address)

        def end():
            self.ended += 1
            turn.end()

        return SimpleNamespace(end=end)


class NoTurns(HandshakeTurns):
    """Grants no turn before `granted` is set; `is_awaited` is set once a handshake waits."""

    def __init__(self, *args):
        super().__init__(*args)
        self.is_awaited = asyncio.Event()
        self.granted = asyncio.Event()

    async def acquire(self, address):
        self.is_awaited.set()
        await self.granted.wait()
        return await super().acquire(address)


class LateTurns(HandshakeTurns):
    """Grants each turn after the time of its handshake."""

    async def acquire(self, address):
        turn = await super().acquire(address)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        return turn


@pytest.mark.parametrize("size", [0, 1, 100])
async def test_a_peer_that_sends_part_of_a_hello_takes_no_turn(tls, size):
    async with open_acceptor(context=tls.listening, turns=CountedTurns) as setup:
        slow = [await asyncio.open_connection("127.0.0.1", setup.acceptor.port) for _ in range(8)]
        for _, writer in slow:
            writer.write(HELLO[:size])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", setup.acceptor.port, ssl=tls.operator, server_hostname="localhost"
        )
        assert await reader.readexactly(5) == b"hello"
        assert setup.options.turns.addresses == ["127.0.0.1"]
        for _, open_writer in [*slow, (reader, writer)]:
            open_writer.transport.abort()


async def test_a_hello_that_comes_byte_by_byte_is_answered(tls):
    async with open_acceptor(context=tls.listening) as setup:
        reader, writer = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        for byte in HELLO:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readexactly(1) == b"\x16"  # ServerHello
        writer.transport.abort()


async def test_a_peer_that_ends_within_its_hello_is_closed(tls):
    async with open_acceptor(context=tls.listening) as setup:
        _, writer = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        writer.write(HELLO[:100])
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.CLOSED)]
        writer.close()


async def test_urgent_data_in_a_part_of_a_hello_takes_no_turn(tls):
    async with open_acceptor(context=tls.listening, turns=CountedTurns, handshake_s=0.3) as setup:
        with socket.create_connection(("127.0.0.1", setup.acceptor.port)) as peer:
            peer.sendall(HELLO[:50])
            peer.send(b"!", socket.MSG_OOB)
            peer.sendall(HELLO[50:-1])
            async with asyncio.timeout(PATIENCE_S):
                await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.TOO_SLOW)]
        assert setup.options.turns.addresses == []


async def test_a_hello_must_come_within_the_handshake_time(tls):
    async with open_acceptor(context=tls.listening, handshake_s=0.05) as setup:
        _, writer = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        writer.write(HELLO[:100])
        async with asyncio.timeout(PATIENCE_S):
            await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.TOO_SLOW)]
        writer.close()


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x00\x00" * 33, b"\x16\x03\x01\xff\xff"])
async def test_a_hello_beyond_its_limits_counts_as_protocol(tls, hello):
    async with open_acceptor(context=tls.listening, turns=CountedTurns) as setup:
        assert await send_and_read(setup.acceptor.port, hello) == b""
        assert setup.rejected == [("127.0.0.1", RejectionReason.PROTOCOL)]
        assert (setup.options.turns.addresses, setup.limits.failed) == ([], 1)


async def test_a_handshake_ends_its_turn(tls):
    async with open_acceptor(context=tls.listening, turns=CountedTurns) as setup:
        assert await shake_hands(setup.acceptor.port, tls.operator) == b"hello"
        assert await shake_hands(setup.acceptor.port, tls.uncertified) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        await wait_for_tasks(setup)
        assert (len(setup.options.turns.addresses), setup.options.turns.ended) == (2, 2)


async def test_the_low_water_mark_is_reset_after_the_hello(tls):
    async with open_acceptor(context=tls.listening) as setup:
        with socket.create_connection(("127.0.0.1", setup.acceptor.port)) as peer:
            peer.sendall(HELLO[:50])
            await setup.listening.wait_for_accepted(1)
            await asyncio.sleep(0)
            peer.setblocking(False)
            peer.sendall(HELLO[50:])
            async with asyncio.timeout(PATIENCE_S):
                assert await asyncio.get_running_loop().sock_recv(peer, 1) == b"\x16"  # ServerHello
            (accepted,) = setup.listening.accepted
            assert accepted.options[-1] == (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def test_a_socket_that_lost_its_permit_while_it_waited_is_closed(tls):
    async with open_acceptor(context=tls.listening, turns=NoTurns, permits=1) as setup:
        _, waiting = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        waiting.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await setup.options.turns.is_awaited.wait()
            _, second = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
            await setup.listening.wait_for_accepted(2)
            setup.options.turns.granted.set()
            await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.HANDSHAKES_EXCEEDED)]
        assert setup.connections[0].received == b""
        for writer in (waiting, second):
            writer.transport.abort()


@pytest.mark.parametrize("turns", [LateTurns, NoTurns])
async def test_a_late_or_missing_turn_is_a_turn_timeout(tls, turns):
    async with open_acceptor(context=tls.listening, turns=turns, handshake_s=0.05) as setup:
        _, writer = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        writer.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.TURN_TIMEOUT)]
        writer.close()


async def test_a_silent_peer_loses_its_permit_before_one_that_waits(tls):
    async with open_acceptor(context=tls.listening, turns=NoTurns, permits=2) as setup:
        _, waiting = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        reader, silent = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        await setup.listening.wait_for_accepted(2)
        waiting.write(HELLO)
        async with asyncio.timeout(PATIENCE_S):
            await setup.options.turns.is_awaited.wait()
            _, third = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
            assert await reader.read() == b""
        for writer in (waiting, silent, third):
            writer.transport.abort()


async def test_behind_a_balancer_the_announced_address_is_limited():
    async with open_acceptor(balancers=LOOPBACK, most=1) as setup:
        assert [await send_and_read(setup.acceptor.port, HEADER) for _ in range(2)] == [b"hello", b""]
        assert setup.limits.taken == ["192.0.2.7"]
        assert setup.rejected == [("192.0.2.7", RejectionReason.HANDSHAKES_EXCEEDED)]


async def test_a_silent_balancer_loses_its_permit_to_the_next_connection():
    async with open_acceptor(balancers=LOOPBACK, permits=1) as setup:
        reader, slow = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        slow.write(HEADER[:20])
        assert await send_and_read(setup.acceptor.port, HEADER) == b"hello"
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
            await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.HANDSHAKES_EXCEEDED)]
        slow.transport.abort()


async def test_silent_peers_delay_no_handshake(tls):
    async with open_acceptor(context=tls.listening, permits=4) as setup:
        silent = [await asyncio.open_connection("127.0.0.1", setup.acceptor.port) for _ in range(8)]
        assert await shake_hands(setup.acceptor.port, tls.operator) == b"hello"
        async with asyncio.timeout(PATIENCE_S):
            assert [await reader.read() for reader, _ in silent[:5]] == [b""] * 5
        assert setup.rejected == [("127.0.0.1", RejectionReason.HANDSHAKES_EXCEEDED)] * 5
        for _, writer in silent:
            writer.transport.abort()


async def wait_for_tasks(setup):
    """Waits until the acceptor has no task: it accepts no more, and every handshake has ended."""
    await setup.acceptor.close()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


async def shake_hands(port, context):
    """Shake hands. Returns the first bytes over TLS, or the alert."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        async with asyncio.timeout(PATIENCE_S):
            data = await reader.read(5)
    except ssl.SSLError as error:
        return error.reason
    writer.transport.abort()
    return data


async def test_a_handshake_uses_one_descriptor_and_is_acknowledged(tls):
    async with open_acceptor(context=tls.listening) as setup:
        assert await shake_hands(setup.acceptor.port, tls.operator) == b"hello"
        (accepted,) = setup.listening.accepted
        assert accepted.duplicates == 0
        assert accepted.options[-1] == (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def test_kernel_buffers_of_accepted_sockets_are_limited():
    async with open_acceptor() as setup:
        assert await send_and_read(setup.acceptor.port) == b"hello"
        listening = setup.listening
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BYTES
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * RECEIVE_BYTES


async def test_a_failed_handshake_sends_its_alert_and_keeps_no_descriptor(tls):
    async with open_acceptor(context=tls.listening) as setup:
        before = count_descriptors()
        for _ in range(5):
            assert await shake_hands(setup.acceptor.port, tls.uncertified) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        await wait_for_tasks(setup)
        assert [accepted.duplicates for accepted in setup.listening.accepted] == [1] * 5
        assert count_descriptors() <= before
        assert setup.rejected == [("127.0.0.1", RejectionReason.CERTIFICATE_MISSING)] * 5
        assert setup.limits.failed == 5


async def test_a_completed_or_abandoned_handshake_has_not_failed(tls):
    async with open_acceptor(context=tls.listening) as setup:
        assert await shake_hands(setup.acceptor.port, tls.operator) == b"hello"
        _, writer = await asyncio.open_connection("127.0.0.1", setup.acceptor.port)
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE_S):
            await setup.is_rejected.wait()
        assert setup.rejected == [("127.0.0.1", RejectionReason.CLOSED)]
        assert (len(setup.limits.released), setup.limits.failed) == (2, 0)
