import asyncio
import socket
import ssl
from datetime import UTC, datetime

import pytest
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.infra.upstream.probing import CACHED_S, Probes
from relay.infra.upstream.tls import TlsError, build_client_context, build_server_context
from relay.policy.settings.core import CoreSettings
from relay.policy.settings.directory import Language, LinkKind, Provider

ADAPTED = Provider(
    org_code="ZBAC000001",
    name="core",
    industry="bank",
    speaks=Language.TELEGRAM,
    link=LinkKind.LEASED_LINE,
    core=CoreSettings(addresses=("core:1",)),
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


class Server:
    """A listening server; `accepted` counts its connections."""

    def __init__(self, context=None):
        self._context = context
        self.accepted = 0

    async def open(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _accept(self, _, writer):
        self.accepted += 1
        writer.close()

    async def close(self):
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def open_server():
    """Opens servers, with TLS if a context is given."""
    opened = []

    async def make(context=None):
        opened.append(await Server(context).open())
        return opened[-1]

    yield make
    for server in opened:
        await server.close()


@pytest.fixture
def closed_port():
    """A port without a listener."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def silent_port():
    """A port that accepts connections and sends nothing."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


@pytest.fixture
def probes(clock):
    return Probes(lambda _: None, clock)


def institution(*ports, scheme="http", host="127.0.0.1"):
    fields = {"org_code": "ZBAA000001", "name": "one", "industry": "bank"}
    fields |= {"link": "leased_line"} if scheme == "http" else {"ca": "ca.pem"}
    return Provider.model_validate(fields | {"base_urls": [f"{scheme}://{host}:{port}/relay" for port in ports]})


async def test_an_institution_that_accepts_is_reachable(probes, open_server):
    assert await probes.reaches(institution((await open_server()).port)) is True


async def test_an_institution_that_refuses_is_not_reachable(probes, closed_port):
    assert await probes.reaches(institution(closed_port)) is False


async def test_one_reachable_instance_is_enough(probes, open_server, closed_port):
    assert await probes.reaches(institution(closed_port, (await open_server()).port)) is True


async def test_an_invalid_host_name_is_not_reachable(probes):
    assert await probes.reaches(institution(1, host="a..b")) is False


@pytest.fixture
def tls(certificates):
    """The TLS context of an institution and the client context for it."""
    pair = certificates.providers["bank"]
    return (
        build_server_context(str(pair.certificate), str(pair.private_key), None),
        build_client_context(str(certificates.ca), None, None),
    )


async def test_a_failed_tls_handshake_is_not_reachable(clock, open_server, tls):
    server, client = tls
    good, plain = await open_server(server), await open_server()
    for port, expected in ((good.port, True), (plain.port, False)):
        assert await Probes(lambda _: client, clock).reaches(institution(port, scheme="https")) is expected
    foreign = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert await Probes(lambda _: foreign, clock).reaches(institution(good.port, scheme="https")) is False


async def test_a_silent_institution_times_out(clock, silent_port, tls, monkeypatch):
    monkeypatch.setattr("relay.infra.upstream.probing.TIMEOUT_S", 0.05)
    assert await Probes(lambda _: tls[1], clock).reaches(institution(silent_port, scheme="https")) is False


async def test_without_a_tls_context_the_result_is_none(clock, open_server):
    def raise_tls_error(_):
        raise TlsError("ca.pem: no such file")

    server = await open_server()
    assert await Probes(raise_tls_error, clock).reaches(institution(server.port, scheme="https")) is None
    assert server.accepted == 0


async def test_concurrent_probes_share_one_connection(probes, open_server):
    server = await open_server()
    provider = institution(server.port)
    assert await asyncio.gather(*(probes.reaches(provider) for _ in range(20))) == [True] * 20
    assert server.accepted == 1


async def test_results_are_cached_for_a_while(probes, open_server, clock):
    server = await open_server()
    provider = institution(server.port)
    await probes.reaches(provider)
    await server.close()
    clock.now += CACHED_S - 0.1
    assert await probes.reaches(provider) is True
    clock.now += 0.1
    assert await probes.reaches(provider) is False


async def test_a_changed_base_url_is_probed_again(probes, open_server, closed_port):
    assert await probes.reaches(institution(closed_port)) is False
    assert await probes.reaches(institution((await open_server()).port)) is True


async def test_a_cancelled_caller_does_not_cancel_the_others(clock, silent_port, tls, monkeypatch):
    monkeypatch.setattr("relay.infra.upstream.probing.TIMEOUT_S", 0.1)
    probes, provider = Probes(lambda _: tls[1], clock), institution(silent_port, scheme="https")
    first, second = asyncio.create_task(probes.reaches(provider)), asyncio.create_task(probes.reaches(provider))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is False


async def test_close_cancels_running_probes(clock, silent_port, tls):
    probes = Probes(lambda _: tls[1], clock)
    probing = asyncio.create_task(probes.reaches(institution(silent_port, scheme="https")))
    await asyncio.sleep(0)
    probes.close()
    with pytest.raises(asyncio.CancelledError):
        await probing


@pytest.mark.parametrize(("status", "expected"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
async def test_the_adapter_knows_whether_a_core_is_reached(tmp_path, clock, status, expected):
    requests = []

    async def serve(reader, writer):
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        writer.close()

    path = str(tmp_path / "b.sock")
    server = await asyncio.start_unix_server(serve, path)
    try:
        assert await Probes(lambda _: None, clock, path).reaches(ADAPTED) is expected
    finally:
        server.close()
    assert requests[0].startswith(b"GET /ZBAC000001/relay/lines HTTP/1.1\r\n")


async def test_without_adapter_a_core_is_not_reached(tmp_path, clock):
    assert await Probes(lambda _: None, clock, str(tmp_path / "none.sock")).reaches(ADAPTED) is False
