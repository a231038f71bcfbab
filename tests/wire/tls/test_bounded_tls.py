import asyncio
import ssl
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import uvloop
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from mydata_sandbox.credentials.authority import CertificateAuthority
from stand_ins import LIMITS, App

from relay.wire.deadline_watch import DeadlineWatch
from relay.wire.server import ServerConnection
from relay.wire.tls.bounded_input import MAX_EMPTY_RECORDS
from relay.wire.tls.bounded_tls import BoundedTls
from relay.wire.tls.errors import RecordsExceeded

KEY_UPDATE = b"\x18\x00\x00\x01\x00" + b"\x16"
"""A KeyUpdate that asks for none, and the type of its record (RFC 8446 4.6.3, 5.2)."""


def expand(secret, label, size):
    name = b"tls13 " + label
    return HKDFExpand(SHA384(), size, size.to_bytes(2) + bytes([len(name)]) + name + b"\0").derive(secret)


def key_update(secret):
    """Build the first KeyUpdate record of a traffic secret. Returns it with the next secret."""
    header = b"\x17\x03\x03" + (len(KEY_UPDATE) + 16).to_bytes(2)
    sealed = AESGCM(expand(secret, b"key", 32)).encrypt(expand(secret, b"iv", 12), KEY_UPDATE, header)
    return header + sealed, expand(secret, b"traffic upd", 48)


def contexts(pair, log):
    """Return the contexts of a server and of a client that logs its secrets."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pair.certificate, pair.private_key)
    serving.num_tickets = 0
    serving.sslobject_class = BoundedTls
    calling = ssl.create_default_context(cafile=str(pair.certificate.with_name("ca.pem")))
    calling.check_hostname = False
    calling.keylog_filename = log
    return serving, calling


def client_secret(log):
    lines = [line.split() for line in log.read_text().splitlines()]
    return next(bytes.fromhex(line[2]) for line in lines if line[0] == "CLIENT_TRAFFIC_SECRET_0")


class Peers:
    """Both ends of one TLS connection; `secret` is the client's traffic secret."""

    def __init__(self, pair, log):
        serving, calling = contexts(pair, log)
        self.to_server, self.to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = serving.wrap_bio(self.to_server, self.to_client, server_side=True)
        self.client = calling.wrap_bio(self.to_client, self.to_server)
        for end in (self.client, self.server, self.client, self.server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                assert end is not self.client or self.to_server.pending
        self.secret = client_secret(log)

    def send_key_updates(self, count):
        for _ in range(count):
            record, self.secret = key_update(self.secret)
            self.to_server.write(record)

    def read(self):
        """Read all available data of the server."""
        data = b""
        while True:
            try:
                data += self.server.read(65536)
            except ssl.SSLWantReadError:
                return data


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    authority = CertificateAuthority.make(tmp_path_factory.mktemp("certs"), "ca", "CA", datetime.now(UTC))
    return authority.issue("one", serial_number="1")


@pytest.fixture
def peers(pair, tmp_path):
    return Peers(pair, tmp_path / "keys.log")


def test_endless_key_updates_end_the_connection(peers):
    peers.send_key_updates(1000)
    with pytest.raises(ssl.SSLError, match="too many TLS records without data"):
        peers.read()
    assert peers.to_server.pending > 0


def test_a_few_key_updates_are_accepted(peers):
    peers.send_key_updates(MAX_EMPTY_RECORDS // 2)
    assert (peers.read(), peers.server.version()) == (b"", "TLSv1.3")
    peers.send_key_updates(MAX_EMPTY_RECORDS // 2)
    assert peers.read() == b""


def test_key_updates_in_several_reads_are_counted_together(peers):
    for _ in range(4):
        peers.send_key_updates(MAX_EMPTY_RECORDS // 2)
        try:
            peers.read()
        except ssl.SSLError:
            break
    else:
        pytest.fail("the connection did not end")


def test_small_and_large_records_are_read_whole(peers):
    for _ in range(5000):
        peers.client.write(b"a")
    peers.client.write(b"b" * 100_000)
    assert peers.read() == b"a" * 5000 + b"b" * 100_000


@pytest.mark.parametrize("cut", [1, 3, 5, 7, 4096])
def test_data_is_read_in_any_segments(peers, cut):
    peers.client.write(b"x" * 3000)
    peers.client.write(b"y")
    sent, received = peers.to_server.read(), b""
    for start, end in pairwise([*range(0, len(sent), cut), len(sent)]):
        peers.to_server.write(sent[start:end])
        received += peers.read()
    assert received == b"x" * 3000 + b"y"


def test_the_server_sees_the_client_close(peers):
    peers.client.write(b"last")
    with pytest.raises(ssl.SSLWantReadError):
        peers.client.unwrap()
    assert peers.server.read(10) == b"last"
    assert peers.server.read(10) == b""
    peers.server.unwrap()
    peers.client.unwrap()


def test_a_peer_that_floods_a_closing_connection_is_cut(peers):
    with pytest.raises(ssl.SSLWantReadError):
        peers.server.unwrap()
    for _ in range(1000):
        peers.client.write(b"a")
    assert peers.read() == b"a" * 1000
    for _ in range(5000):
        peers.client.write(b"a")
    with pytest.raises(ssl.SSLError, match="too much data after the end"):
        peers.read()


class NotifyingApp(App):
    """Sets `lost` when a connection is lost."""

    def __init__(self):
        super().__init__()
        self.lost = asyncio.Event()

    def connection_lost(self, connection, error):
        super().connection_lost(connection, error)
        self.lost.set()


async def flood(port, calling, log):
    """Shake hands over a socket and send KeyUpdates. Returns the streams."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = calling.wrap_bio(incoming, outgoing)
    while True:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
            incoming.write(await reader.read(65536))
        else:
            break
    writer.write(outgoing.read())
    secret = client_secret(log)
    for _ in range(1000):
        record, secret = key_update(secret)
        writer.write(record)
    return reader, writer


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_flood_over_a_socket_is_reported_to_the_app(pair, tmp_path, new_loop):
    log = tmp_path / "keys.log"
    serving, calling = contexts(pair, log)

    async def run():
        loop, app, watch = asyncio.get_running_loop(), NotifyingApp(), DeadlineWatch()
        server = await loop.create_server(lambda: ServerConnection(app, LIMITS, watch, loop), "127.0.0.1", ssl=serving)
        async with server, asyncio.timeout(10):
            _, writer = await flood(server.sockets[0].getsockname()[1], calling, log)
            await app.lost.wait()
            writer.close()
        return app.error

    with asyncio.Runner(loop_factory=new_loop) as runner:
        error = runner.run(run())
    assert isinstance(error, RecordsExceeded)
