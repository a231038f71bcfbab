"""Customers' pages full of connections of one address: other customers, operators and the authority go on."""

import asyncio
import contextlib

import pytest
import pytest_asyncio
from stage.caller import Line, client_context
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = "127.0.0.9"
IDLE, PER_ADDRESS = 300, 100
HEAD_S = 5.0
"""Defaults of `authority.pages`."""


@pytest_asyncio.fixture(loop_scope="module")
async def crowd(neighbours):
    """Opens idle TLS connections of one address to the pages; those that were let in."""
    context = client_context(neighbours.street.certificates.ca)
    lines = []

    async def open_one():
        with contextlib.suppress(OSError):  # it was closed before its handshake
            lines.append(await Line.open(neighbours.street.pages_port, context, HOSTILE))

    async def come():
        await asyncio.gather(*(open_one() for _ in range(IDLE)))
        return lines

    yield come
    for line in lines:
        line.hang_up()


async def is_closed(line):
    with contextlib.suppress(ConnectionError):
        return await line.reader.read() == b""
    return True


async def test_a_crowd_of_one_address_closes_the_pages_to_nobody_else(neighbours, crowd):
    server, other = neighbours.server(), neighbours.server(1)
    house = next(iter(neighbours.street.institutions.values()))
    tokens = (await other.redeem(house, await other.code(house))).body
    lines = await crowd()
    assert len(lines) <= PER_ADDRESS
    assert len(lines) > PER_ADDRESS // 2
    code = await server.code(house)  # another customer walks over the pages
    assert (await server.redeem(house, code)).status == 200
    assert (await other.refresh(house, tokens["refresh_token"])).status == 200
    async with asyncio.timeout(HEAD_S + 10):  # those that never say a word leave by themselves
        assert all(await asyncio.gather(*map(is_closed, lines)))
    refused = "listener=pages reason=connections_per_address cause=127.0.0.9"
    await until(lambda: refused in neighbours.logs, "the log line of refused connections")
