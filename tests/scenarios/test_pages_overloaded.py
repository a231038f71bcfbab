"""Idle connections of one address, or a slow institution, do not block the pages for other customers."""

import asyncio
import contextlib

import pytest
import pytest_asyncio
from fixtures.caller import Connection, client_context
from fixtures.waiting import until
from mydata_sandbox.customer.browser_client import BrowserClient, trust_only
from mydata_sandbox.institution import provider
from mydata_sandbox.institution.login import LOGINS

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = "127.0.0.9"
IDLE, PER_ADDRESS = 300, 100
HEAD_S = 5.0
"""Defaults of `authority.pages`."""


@pytest_asyncio.fixture(loop_scope="module")
async def open_idle(servers):
    """Opens idle TLS connections of one address to the pages. Returns those accepted."""
    context = client_context(servers.sandbox.certificates.ca)
    connections = []

    async def open_one():
        with contextlib.suppress(OSError):  # closed before its handshake
            connections.append(await Connection.open(servers.sandbox.pages_port, context, HOSTILE))

    async def open_all():
        await asyncio.gather(*(open_one() for _ in range(IDLE)))
        return connections

    yield open_all
    for connection in connections:
        connection.abort()


async def is_closed(connection):
    with contextlib.suppress(ConnectionError):
        return await connection.reader.read() == b""
    return True


async def test_idle_connections_of_one_address_do_not_block_others(servers, open_idle):
    server, other = servers.server(), servers.server(1)
    institution = next(iter(servers.sandbox.institutions.values()))
    tokens = (await other.redeem(institution, await other.get_code(institution))).body
    connections = await open_idle()
    assert len(connections) <= PER_ADDRESS
    assert len(connections) > PER_ADDRESS // 2
    code = await server.get_code(institution)  # another customer completes the pages
    assert (await server.redeem(institution, code)).status == 200
    assert (await other.refresh(institution, tokens["refresh_token"])).status == 200
    async with asyncio.timeout(HEAD_S + 10):  # silent connections are closed after head_s
        assert all(await asyncio.gather(*map(is_closed, connections)))
    refused = "listener=pages reason=connections_per_address cause=127.0.0.9"
    await until(lambda: refused in servers.logs, "the log line of refused connections")


async def test_a_disconnected_customer_cancels_its_list_calls(servers, monkeypatch):
    server, institution = servers.server(), next(iter(servers.sandbox.institutions.values()))
    requests, release, read = [], asyncio.Event(), provider.read_parameters

    async def read_after_release(request):
        if "x-user-ci" in request.headers:
            requests.append(request)
            await release.wait()
        return await read(request)

    monkeypatch.setattr(provider, "read_parameters", read_after_release)
    location = (await server.authorize(institution)).headers["Location"]
    trusted = trust_only(servers.sandbox.certificates.ca)
    async with BrowserClient(trusted, LOGINS[0].login_id, LOGINS[0].password) as phone:
        pages = asyncio.create_task(phone.consent(location))
        await until(lambda: requests, "the first list was asked for")
        pages.cancel()
        await until(lambda: requests[0].transport is None, "the call for the list was cut")
    release.set()
    assert len(requests) == 1
    assert await server.get_code(institution)  # the next customer of the same login is served
