import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mydata_sandbox.environment import external as module
from mydata_sandbox.environment.external import RelayUnreachable, explain, external_environment, wait_for_relay
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.environment.serving import build_server_context


@pytest.fixture
async def running(tmp_path, monkeypatch):
    """A sandbox that serves, for a relay that does not run yet."""
    monkeypatch.setattr(module, "POLL_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
    async with external_environment(tmp_path / "sandbox", RelayAddress("127.0.0.1", port)) as running:
        yield running


@pytest.fixture
async def serve(running):
    """Serves an authority at the relay's port: it accepts the operator from the second call on."""
    servers = []

    async def start(identity):
        errors = ["unauthorized_client", "invalid_grant"]

        async def refuse(_):
            return web.json_response({"error": errors.pop(0)}, status=400)

        app = web.Application()
        app.router.add_post("/oauth/2.0/token", refuse)
        server = TestServer(app, scheme="https", port=running.environment.gateway_port)
        certificates = running.environment.certificates
        await server.start_server(ssl=build_server_context(identity(certificates), certificates.ca))
        servers.append(server)

    yield start
    for server in servers:
        await server.close()


async def test_all_parties_but_the_relay_are_served(running):
    assert running.pid is None
    for institution in running.environment.institutions.values():
        _, writer = await asyncio.open_connection("127.0.0.1", institution.port)
        writer.close()
        await writer.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", running.environment.gateway_port)


async def test_problems_are_reported_until_the_relay_is_ready(running, serve):
    problems, reported = [], asyncio.Event()

    def report(problem):
        problems.append(problem)
        reported.set()

    waiting = asyncio.create_task(wait_for_relay(running, report, 30))
    await reported.wait()
    await serve(lambda certificates: certificates.relay)
    await waiting
    assert problems[0] == "no connection: the relay does not listen there yet"
    assert problems[-1].startswith("it does not know the operator yet")


async def test_a_relay_that_does_not_start_is_an_error(running):
    with pytest.raises(RelayUnreachable, match="within 0 s: no connection: the relay does not listen there yet"):
        await wait_for_relay(running, lambda _: None, 0.2)


async def test_a_foreign_certificate_is_explained(running, serve):
    await serve(lambda certificates: certificates.foreign_operator)
    problems = []
    with pytest.raises(RelayUnreachable):
        await wait_for_relay(running, problems.append, 0.5)
    assert problems[0] == (
        "its certificate is not the sandbox's: use certs/relay.pem (gateway.tls) "
        "(certificate verify failed: unable to get local issuer certificate)"
    )


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("ClientConnectorDNSError: x", "the name does not resolve"),
        ("ServerDisconnectedError: x", "it closes the connection: use client_ca certs/ca.pem (gateway.tls)"),
        ("HTTP 503 temporarily_unavailable", "HTTP 503 temporarily_unavailable"),
        ("", ""),
    ],
)
def test_a_problem_is_explained_or_shown_as_it_is(problem, words):
    assert explain(problem) == words
