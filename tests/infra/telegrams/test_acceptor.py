"""Lines that a core opens: from its networks only, no more than the settings allow."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime

import pytest
from fixtures.waiting import until
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.domain.fault import Refusal
from relay.infra.telegrams.acceptor import Acceptor
from relay.infra.telegrams.lines import Lines
from relay.infra.upstream.tls import build_client_context, build_server_context
from relay.policy.settings.core import CoreSettings


@pytest.fixture
def port():
    """A free port."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


async def connect(port, context=None):
    """Connects once the acceptor listens."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port, ssl=context)
        except ConnectionRefusedError:
            await asyncio.sleep(0.002)


@pytest.fixture
async def accept(port):
    """A function that runs an acceptor."""
    tasks = []

    def run(peers):
        acceptor = Acceptor("ZBAC000001", f"127.0.0.1:{port}", peers)
        tasks.append(asyncio.ensure_future(acceptor.run()))
        return acceptor

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_connection_of_the_core_is_taken(accept, port):
    acceptor = accept(["127.0.0.0/8"])
    _, writer = await connect(port)
    with await acceptor.take() as connected:
        assert connected.getpeername() == writer.get_extra_info("sockname")
    writer.close()


async def test_a_connection_of_others_is_closed(accept, port, caplog):
    accept(["10.0.0.0/8"])
    reader, writer = await connect(port)
    assert await reader.read() == b""
    writer.close()
    assert 'line of a core refused: org_code=ZBAC000001 reason="not in core.peers"' in caplog.text


async def test_connections_beyond_the_lines_are_closed(accept, port, caplog):
    accept(["127.0.0.1"])
    connections = [await connect(port) for _ in range(5)]
    assert await connections[-1][0].read() == b""
    assert 'reason="more than core.lines"' in caplog.text
    for _, writer in connections:
        writer.close()


async def test_a_taken_address_is_tried_again(accept, port, caplog):
    with socket.create_server(("127.0.0.1", port)):
        acceptor = accept(["127.0.0.1"])
        await until(lambda: "core.listen unavailable: org_code=ZBAC000001" in caplog.text, "the log line")
    _, writer = await connect(port)
    (await acceptor.take()).close()
    writer.close()


@pytest.fixture
async def passive_lines(link, port):
    """A function that opens lines for a core that connects itself."""
    opened = []

    def open_some(connect_s=20.0, context=None):
        settings = CoreSettings(listen=f"127.0.0.1:{port}", peers=("127.0.0.1",), lines=1)
        lines = Lines("ZBAC000001", link, settings, context, connect_s, 1.0)
        lines.start()
        opened.append(lines)
        return lines

    yield open_some
    for lines in opened:
        await lines.close()


def begin(lines, telegrams):
    return asyncio.ensure_future(lines.exchange(telegrams[0], asyncio.get_running_loop().time() + 20))


async def test_calls_use_the_lines_that_the_core_opens(passive_lines, core, telegrams, port):
    lines = passive_lines()
    for _ in range(2):
        exchange = begin(lines, telegrams)  # waits for the next line
        serving = asyncio.ensure_future(core.serve(*await connect(port)))
        telegram, writer = await core.telegrams.get()
        writer.write(telegrams[1](telegram))
        await exchange
        writer.close()
        await serving
        await until(lambda: not lines.open_lines, "no line")


async def test_calls_are_refused_when_the_core_opens_no_line(passive_lines, telegrams, caplog):
    lines = passive_lines(connect_s=0.05)
    for _ in range(2):  # the first one waits, the second one comes too late
        with pytest.raises(Refusal) as caught:
            await begin(lines, telegrams)
        assert (caught.value.fault.name, caught.value.detail) == ("connect_failed", "unopened")
    assert "core unavailable: org_code=ZBAC000001 cause=unopened" in caplog.text


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Certificates of the relay and of institutions, of one CA."""
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


async def test_a_core_opens_lines_with_tls(passive_lines, core, telegrams, port, certificates):
    ca, ours = str(certificates.ca), certificates.relay
    lines = passive_lines(context=build_server_context(str(ours.certificate), str(ours.private_key), ca))
    exchange = begin(lines, telegrams)
    theirs = certificates.operators[0]
    own = build_client_context(ca, str(theirs.certificate), str(theirs.private_key))
    serving = asyncio.ensure_future(core.serve(*await connect(port, own)))
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[1](telegram))
    await exchange
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    await lines.close()
    await serving
    core.writers.clear()  # the transport has ended by itself


async def test_a_core_without_certificate_has_no_line(passive_lines, telegrams, port, certificates, caplog):
    ca, ours = str(certificates.ca), certificates.relay
    context = build_server_context(str(ours.certificate), str(ours.private_key), ca)
    lines = passive_lines(connect_s=1.0, context=context)
    exchange = begin(lines, telegrams)
    reader, _ = await connect(port, build_client_context(ca, None, None))
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert await reader.read() == b""
    with pytest.raises(Refusal) as caught:
        await exchange
    assert caught.value.fault.rsp_code == "50005"
    assert not lines.open_lines
