"""A listener accepts connections within its limits and logs why it refuses others."""

import asyncio
import errno
import logging
import socket
import ssl

import pytest
from aiohttp import web

from relay.endpoint.connections.limits import ConnectionLimits
from relay.endpoint.connections.site import LimitedSite
from relay.endpoint.handlers import build_error_response
from relay.endpoint.serving import open_runner
from relay.policy.settings.scalars import Rate
from relay.wire.tls.errors import RecordsExceeded

FAST = Rate(per_second=1000, burst=1000)
GET = b"GET /fine HTTP/1.1\r\nHost: a\r\n\r\n"


class SocketWithoutDescriptors:
    """A listening socket without a file descriptor for the next `failures` connections."""

    def __init__(self, listening, failures):
        self.listening, self.failures = listening, failures

    def accept(self):
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listening.accept()

    def __getattr__(self, name):
        return getattr(self.listening, name)


class SocketThatStopsItsSite:
    """A listening socket that stops its site as soon as it has accepted a connection."""

    def __init__(self, listening):
        self.listening, self.site, self.accepted, self.stopping = listening, None, [], None

    def accept(self):
        accepted = self.listening.accept()
        self.accepted.append(accepted[0])
        self.stopping = asyncio.get_running_loop().create_task(self.site.stop())
        return accepted

    def __getattr__(self, name):
        return getattr(self.listening, name)


async def fine(_request):
    return web.Response(text="fine")


@pytest.fixture
async def runner():
    app = web.Application()
    app.router.add_get("/fine", fine)
    async with open_runner(app, build_error_response) as made:
        yield made


async def start_site(runner, listening, **limits):
    values = {"connections": 3, "connections_per_address": 2, "new_connections": FAST} | limits
    site = LimitedSite(runner, listening, ConnectionLimits(**values), label="pages")
    await site.start()
    return site


async def connect(listening, address="127.0.0.1"):
    return await asyncio.open_connection(*listening.getsockname(), local_addr=(address, 0))


async def get_status(connection):
    reader, writer = connection
    writer.write(GET)
    return (await reader.readuntil(b"fine"))[9:12]


async def is_closed(connection):
    reader, writer = connection
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


async def test_connections_beyond_the_limits_are_closed_at_once(runner, listening, caplog):
    site = await start_site(runner, listening)
    async with asyncio.timeout(10):
        first = [await connect(listening) for _ in range(2)]
        assert [await get_status(connection) for connection in first] == [b"200", b"200"]
        assert await is_closed(await connect(listening))
        other = await connect(listening, "127.0.0.2")
        assert await get_status(other) == b"200"
        assert await is_closed(await connect(listening, "127.0.0.3"))
        assert site.connections == 3
        assert caplog.messages == [
            "connections refused: listener=pages reason=connections_per_address cause=127.0.0.1 count=1",
            "connections refused: listener=pages reason=connections cause=127.0.0.3 count=1",
        ]
        other[1].close()
        await other[1].wait_closed()
        while site.connections == 3:  # noqa: ASYNC110 - no event signals it
            await asyncio.sleep(0)
        again = await connect(listening, "127.0.0.3")
        assert await get_status(again) == b"200"
    for _, writer in (*first, again):
        writer.close()


class FloodedTls(ssl.SSLObject):
    """A TLS connection whose peer sends too many records."""

    def read(self, *_):
        raise RecordsExceeded("too many TLS records without data")


async def test_a_flood_of_tls_records_is_logged_with_its_address(
    runner, listening, certificates, client_context, caplog
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.relay.certificate, certificates.relay.private_key)
    context.sslobject_class = FloodedTls
    limits = ConnectionLimits(3, 2, FAST)
    await LimitedSite(runner, listening, limits, label="pages", context=context).start()
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*listening.getsockname(), ssl=client_context)
        writer.write(GET)
        assert await is_closed((reader, writer))
    assert caplog.messages == [
        "connections refused: listener=pages reason=tls_records_exceeded cause=127.0.0.1 count=1"
    ]


async def test_accepting_resumes_after_a_reached_file_limit(runner, listening, caplog):
    await start_site(runner, SocketWithoutDescriptors(listening, failures=2))
    async with asyncio.timeout(10):
        connection = await connect(listening)
        assert await get_status(connection) == b"200"
    connection[1].close()
    assert caplog.messages == ["connections refused: listener=pages reason=no_descriptors cause=EMFILE count=1"]


async def test_refusals_are_logged_once_a_second(runner, listening, caplog):
    await start_site(runner, listening, connections_per_address=1, connections=1)
    async with asyncio.timeout(10):
        first = await connect(listening)
        assert await get_status(first) == b"200"
        assert all([await is_closed(await connect(listening)) for _ in range(50)])
    first[1].close()
    assert 1 <= len(caplog.messages) <= 10


async def test_a_stopped_listener_accepts_no_connection(runner, listening):
    address = listening.getsockname()
    site = await start_site(runner, listening)
    await site.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_a_stop_closes_connections_just_accepted(runner, listening):
    stopping = SocketThatStopsItsSite(listening)
    stopping.site = site = await start_site(runner, stopping)
    async with asyncio.timeout(10):
        assert await is_closed(await connect(listening))
        await stopping.stopping
    assert (stopping.accepted[0].fileno(), site.connections) == (-1, 0)


async def test_a_failed_handshake_releases_its_permit(runner, listening, caplog, server_context):
    limits = ConnectionLimits(2, 2, FAST)
    site = LimitedSite(runner, listening, limits, label="pages", context=server_context, handshake_s=0.2)
    await site.start()
    async with asyncio.timeout(10):
        silent, no_tls = await connect(listening), await connect(listening)
        no_tls[1].write(GET)
        assert await is_closed(silent)  # not a byte of a handshake came
        await no_tls[0].read()
        no_tls[1].close()
        while site.connections:  # noqa: ASYNC110 - no event signals it
            await asyncio.sleep(0)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
