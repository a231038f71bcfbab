import asyncio
import socket
from datetime import UTC, date, datetime

import aiohttp
import pytest
from mydata_sandbox.customer.browser_client import trust_only
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.serving import serve_environment
from mydata_sandbox.operator.client import open_session

from relay.standard.catalogue import load_catalogue

NOW = datetime.now(UTC)


@pytest.fixture
def environment(tmp_path):
    environment = build(tmp_path / "environment", NOW)
    yield environment
    environment.close()


async def ask(environment, identity, industry="telecom"):
    url = f"https://127.0.0.1:{environment.institutions[industry].port}/v1/{industry}/nothing"
    async with open_session(identity, environment.certificates.ca) as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def test_institutions_accept_only_the_relay(environment):
    async with serve_environment(environment, load_catalogue(), {}, today=lambda: date(2026, 11, 22)):
        status, body = await ask(environment, environment.certificates.relay)
        assert (status, body["rsp_code"]) == (404, "40401")
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await ask(environment, environment.certificates.operators[0])
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(environment, environment.certificates.relay)


async def token_of_the_certifier(environment, identity):
    """Returns the e-signature provider's response to the relay's credentials over TLS with `identity`."""
    certifiers = environment.certifiers
    form = {
        "grant_type": "client_credentials",
        "client_id": certifiers.client_id,
        "client_secret": certifiers.client_secret,
        "scope": "ca",
    }
    url = f"{certifiers.signature}/oauth/2.0/token"
    async with open_session(identity, environment.certificates.ca) as session, session.post(url, data=form) as answer:
        return answer.status


async def test_the_certifier_accepts_certificates_of_the_ca(environment):
    async with serve_environment(environment, load_catalogue(), {}):
        for known in (environment.certificates.relay, environment.certificates.operators[1]):
            assert await token_of_the_certifier(environment, known) == 200
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await token_of_the_certifier(environment, environment.certificates.foreign_operator)


async def test_a_browser_without_certificate_reaches_the_callback(environment):
    trust = aiohttp.TCPConnector(ssl=trust_only(environment.certificates.ca))
    async with (
        serve_environment(environment, load_catalogue(), {}),
        aiohttp.ClientSession(connector=trust) as browser,
        browser.get(environment.operators[0].callback, params={"code": "c0de"}) as answer,
    ):
        assert (answer.status, "c0de" in await answer.text()) == (200, True)


async def test_the_ucpid_service_stops_with_the_sandbox(environment):
    where = environment.certifiers.identity_listener.getsockname()
    async with serve_environment(environment, load_catalogue(), {}):
        _, writer = await asyncio.open_connection(*where)
        writer.close()
        await writer.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*where)


async def test_a_sandbox_with_a_portal_serves_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as used:
        wanted = used.getsockname()[1]
    environment = build(tmp_path / "environment", NOW, portal=True, control_port=wanted)
    assert environment.portal.control.getsockname()[1] == wanted
    account = environment.portal.accounts[environment.operators[0].org_code]
    form = {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
        "scope": "manage",
    }
    url, headers = f"{environment.portal.url}/mgmts/oauth/2.0/token", {"x-api-tran-id": "ZOPA000001M00000000000001"}
    async with (
        serve_environment(environment, load_catalogue(), {}) as portal,
        open_session(environment.operators[0].identity, environment.certificates.ca) as session,
        session.post(url, data=form, headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["scope"]) == (200, "manage")
        assert [received.caller for received in portal.received] == ["ZOPA000001"]


async def test_a_sandbox_without_a_portal_yields_none(environment):
    assert environment.portal is None
    async with serve_environment(environment, load_catalogue(), {}) as portal:
        assert portal is None
