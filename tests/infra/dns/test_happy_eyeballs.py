"""Hosts with several addresses, one of which does not respond."""

import asyncio
import socket
import ssl

import pytest

from relay.infra.dns.happy_eyeballs import MAX_ADDRESSES, connect_socket
from relay.infra.upstream.dialing import Dialer, NotConnected
from relay.policy.settings.scalars import ProviderTimeouts


@pytest.fixture
def silent_address(port):
    """A local address that drops connections to the port because its backlog is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.9", port))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(("127.0.0.9", port))
        yield "127.0.0.9"


async def test_a_silent_address_does_not_delay_the_next(names, port, silent_address):
    names.addresses["bank.test"] = [silent_address, "127.0.0.1"]
    async with asyncio.timeout(2.0):  # an institution's `connect_s`; the kernel tries for two minutes
        reader, writer = await asyncio.open_connection("bank.test", port)
        assert await reader.readline() == b"hello\n"
        writer.close()


async def test_a_tls_connection_skips_a_silent_address(names, port, silent_address):
    names.addresses["bank.test"] = [silent_address, "127.0.0.1"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    timeouts = ProviderTimeouts()
    dialer = Dialer((f"https://bank.test:{port}",), context, timeouts, asyncio.get_running_loop())
    with pytest.raises(NotConnected, match="tls_protocol"):  # the server does not speak TLS
        await dialer.dial(lambda _: None, 0)


async def test_no_more_than_sixteen_addresses_are_tried(names, port):
    refusing = [f"127.0.1.{number}" for number in range(1, MAX_ADDRESSES + 1)]
    names.addresses["bank.test"] = [*refusing, "127.0.0.1"]
    loop = asyncio.get_running_loop()
    rows = await loop.getaddrinfo("bank.test", port, type=socket.SOCK_STREAM)
    last = rows[-1][4][0]
    if last == "127.0.0.1":  # the resolver may sort addresses
        with pytest.raises(ConnectionRefusedError):
            await connect_socket(loop, "bank.test", port)
