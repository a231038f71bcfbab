import asyncio

import pytest

from relay.infra.telegrams.recording_proxy import RecordingProxy


@pytest.fixture
async def echo():
    """A server that answers each line with it twice; returns its address."""

    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line * 2)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def open_proxy(core):
    records = []
    proxy = RecordingProxy("127.0.0.1:0", core, lambda *record: records.append(record))
    await proxy.open()
    host, port = proxy.address.split(":")
    return proxy, records, await asyncio.open_connection(host, int(port))


async def test_every_byte_is_handed_on_and_recorded(echo):
    proxy, records, (reader, writer) = await open_proxy(echo)
    writer.write(b"one\n")
    assert await reader.readexactly(8) == b"one\none\n"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await proxy.close()
    assert records == [(1, True, b"one\n"), (1, False, b"one\none\n")]


async def test_a_core_that_cannot_be_reached_is_a_failure(unused_tcp_port):
    proxy, records, (reader, writer) = await open_proxy(f"127.0.0.1:{unused_tcp_port}")
    assert await reader.read() == b""
    writer.close()
    await proxy.close()
    assert (len(proxy.failures), records) == (1, [])


async def test_closing_ends_open_connections(echo):
    proxy, _, (reader, writer) = await open_proxy(echo)
    writer.write(b"one\n")
    await reader.readexactly(8)
    await proxy.close()
    assert await reader.read() == b""
    writer.close()
