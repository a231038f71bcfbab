"""Customers' pages full of connections of one address, or before a slow institution: everybody else goes on."""

import asyncio
import contextlib

import pytest
import pytest_asyncio
from stage.caller import Line, client_context
from stage.waiting import until

from relay.sandbox import provider
from relay.sandbox.login import LOGINS
from relay.sandbox.phone import PretendedPhone, trusting

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


async def test_a_customer_that_hangs_up_ends_the_lists_of_a_slow_institution(neighbours, monkeypatch):
    server, house = neighbours.server(), next(iter(neighbours.street.institutions.values()))
    asked, go, read = [], asyncio.Event(), provider._parameters

    async def read_late(request):
        if "x-user-ci" in request.headers:
            asked.append(request)
            await go.wait()
        return await read(request)

    monkeypatch.setattr(provider, "_parameters", read_late)
    location = (await server.authorize(house)).headers["Location"]
    trusted = trusting(neighbours.street.certificates.ca)
    async with PretendedPhone(trusted, LOGINS[0].login_id, LOGINS[0].password) as phone:
        walk = asyncio.create_task(phone.walk(location))
        await until(lambda: asked, "the first list was asked for")
        walk.cancel()
        await until(lambda: asked[0].transport is None, "the call for the list was cut")
    go.set()
    assert len(asked) == 1
    assert await server.code(house)  # the next customer of the same login is served
