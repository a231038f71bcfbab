"""Whether an institution is there: real sockets, real TLS; who asks together shares one attempt."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime

import pytest

from relay.infra.upstream.probing import REMEMBERED_S, Probes
from relay.infra.upstream.tls import TlsError, client_context, server_context
from relay.policy.settings.directory import Provider
from relay.sandbox.certificates import make_dev_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


class Instance:
    """A listening place; `seen` counts the connections it took."""

    def __init__(self, context=None):
        self._context = context
        self.seen = 0

    async def open(self):
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _met(self, _, writer):
        self.seen += 1
        writer.close()

    async def close(self):
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def place():
    """Opens places, with TLS when a context is given."""
    opened = []

    async def make(context=None):
        opened.append(await Instance(context).open())
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


@pytest.fixture
def nowhere():
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def deaf():
    """A port that takes a connection and never says a word of TLS."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def probes(clock):
    return Probes(lambda _: None, clock)


def institution(*ports, scheme="http", host="127.0.0.1"):
    told = {"org_code": "ZBAA000001", "name": "one", "industry": "bank"}
    told |= {"link": "leased_line"} if scheme == "http" else {"ca": "ca.pem"}
    return Provider.model_validate(told | {"base_urls": [f"{scheme}://{host}:{port}/relay" for port in ports]})


async def test_one_that_takes_a_connection_is_there(probes, place):
    assert await probes.reaches(institution((await place()).port)) is True


async def test_one_that_takes_none_is_not(probes, nowhere):
    assert await probes.reaches(institution(nowhere)) is False


async def test_one_of_its_places_is_enough(probes, place, nowhere):
    assert await probes.reaches(institution(nowhere, (await place()).port)) is True


async def test_a_name_that_is_none_is_not_there(probes):
    assert await probes.reaches(institution(1, host="a..b")) is False


@pytest.fixture
def tls(certificates):
    """Contexts of an institution of the street, and ours toward it."""
    pair = certificates.providers["bank"]
    return (
        server_context(str(pair.certificate), str(pair.private_key), None),
        client_context(str(certificates.ca), None, None),
    )


async def test_tls_must_be_agreed(clock, place, tls):
    server, client = tls
    good, plain = await place(server), await place()
    for port, found in ((good.port, True), (plain.port, False)):
        assert await Probes(lambda _: client, clock).reaches(institution(port, scheme="https")) is found
    foreign = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert await Probes(lambda _: foreign, clock).reaches(institution(good.port, scheme="https")) is False


async def test_one_that_says_nothing_is_given_up(clock, deaf, tls, monkeypatch):
    monkeypatch.setattr("relay.infra.upstream.probing.PATIENCE_S", 0.05)
    assert await Probes(lambda _: tls[1], clock).reaches(institution(deaf, scheme="https")) is False


async def test_without_a_context_nothing_can_be_told(clock, place):
    def raise_tls_error(_):
        raise TlsError("ca.pem: no such file")

    standing = await place()
    assert await Probes(raise_tls_error, clock).reaches(institution(standing.port, scheme="https")) is None
    assert standing.seen == 0


async def test_who_asks_together_shares_one_connection(probes, place):
    standing = await place()
    one = institution(standing.port)
    assert await asyncio.gather(*(probes.reaches(one) for _ in range(20))) == [True] * 20
    assert standing.seen == 1


async def test_what_was_seen_is_remembered_for_a_while(probes, place, clock):
    standing = await place()
    one = institution(standing.port)
    await probes.reaches(one)
    await standing.close()
    clock.now += REMEMBERED_S - 0.1
    assert await probes.reaches(one) is True
    clock.now += 0.1
    assert await probes.reaches(one) is False


async def test_who_moved_is_looked_at_anew(probes, place, nowhere):
    assert await probes.reaches(institution(nowhere)) is False
    assert await probes.reaches(institution((await place()).port)) is True


async def test_who_stops_asking_does_not_stop_the_others(clock, deaf, tls, monkeypatch):
    monkeypatch.setattr("relay.infra.upstream.probing.PATIENCE_S", 0.1)
    probes, one = Probes(lambda _: tls[1], clock), institution(deaf, scheme="https")
    first, second = asyncio.create_task(probes.reaches(one)), asyncio.create_task(probes.reaches(one))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is False


async def test_closing_gives_up_what_is_under_way(clock, deaf, tls):
    probes = Probes(lambda _: tls[1], clock)
    asking = asyncio.create_task(probes.reaches(institution(deaf, scheme="https")))
    await asyncio.sleep(0)
    probes.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
