import asyncio
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness.name_server import NameServer
from mydata_sandbox.credentials.certificates import make_dev_certificates
from sqlalchemy import text
from sqlalchemy.engine import make_url

from relay.infra.dns.event_loop import new_event_loop
from relay.infra.ledger.database.engine import build_engine
from relay.infra.upstream.tls import build_client_context, build_server_context


async def receive(host, port, **options):
    reader, writer = await asyncio.open_connection(host, port, **options)
    try:
        return await reader.readline()
    finally:
        writer.close()


async def test_a_name_is_resolved_once_for_many_connections(names, port):
    assert [await receive("bank.test", port) for _ in range(3)] == [b"hello\n"] * 3
    assert names.asked == {"bank.test": 1}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_numeric_hosts_and_localhost_need_no_server(names, port, host):
    assert await receive(host, port) == b"hello\n"
    assert not names.asked


@pytest.fixture
def hosts_file_name():
    rows = [line.partition("#")[0].split() for line in Path("/etc/hosts").read_text(encoding="utf-8").splitlines()]
    return next(row[-1] for row in reversed(rows) if row)


async def test_names_of_etc_hosts_need_no_server(names, hosts_file_name):
    assert await asyncio.get_running_loop().getaddrinfo(hosts_file_name, 1, type=socket.SOCK_STREAM)
    assert not names.asked


async def test_a_name_resolves_while_others_hang(names, port):
    names.silent = {f"hang{number}.test" for number in range(50)}
    hanging = [asyncio.create_task(receive(host, port)) for host in names.silent]
    while set(names.asked) < names.silent:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0)
    assert await receive("bank.test", port) == b"hello\n"
    assert not any(call.done() for call in hanging)
    for call in hanging:
        call.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_an_unknown_name_is_a_gaierror(names, port):
    with pytest.raises(socket.gaierror) as raised:
        await receive("unknown.test", port)
    assert raised.value.errno == socket.EAI_NONAME


@pytest.mark.parametrize("host", ["a..test", "x" * 64 + ".test", ".test"])
async def test_an_invalid_name_is_a_gaierror(names, port, host):
    with pytest.raises(socket.gaierror):
        await receive(host, port)


async def test_the_next_address_is_tried_after_a_refusal(names, port):
    names.addresses["bank.test"] = ["127.0.0.9", "127.0.0.1"]
    assert await receive("bank.test", port) == b"hello\n"


async def test_a_refusal_by_every_address_is_an_oserror(names):
    names.addresses["bank.test"] = ["127.0.0.8", "127.0.0.9"]
    with pytest.raises(ConnectionRefusedError):
        await receive("bank.test", 1)


async def test_tls_checks_the_name_and_not_the_address(names, tmp_path):
    names.addresses["localhost.test"] = ["127.0.0.1"]
    certificates = make_dev_certificates(tmp_path, datetime.now(UTC))
    server_tls = build_server_context(str(certificates.relay.certificate), str(certificates.relay.private_key), None)
    client_tls = build_client_context(str(certificates.ca), None, None)

    async def send_line(_reader, writer):
        writer.write(b"hello\n")
        writer.close()

    async with await asyncio.start_server(send_line, "127.0.0.1", 0, ssl=server_tls) as server:
        port = server.sockets[0].getsockname()[1]
        assert await receive("localhost.test", port, ssl=client_tls, server_hostname="localhost") == b"hello\n"
        with pytest.raises(ssl.SSLCertVerificationError, match=r"localhost\.test"):
            await receive("localhost.test", port, ssl=client_tls)


async def test_getaddrinfo_returns_the_requested_family(names):
    look_up = asyncio.get_running_loop().getaddrinfo
    rows = await look_up("bank.test", 443, type=socket.SOCK_STREAM)
    assert rows == [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 443))]
    with pytest.raises(socket.gaierror):
        await look_up("bank.test", 443, family=socket.AF_INET6)


async def test_postgresql_is_reached_by_name_through_the_loop(names, postgresql):
    url = make_url(postgresql.database())
    socket_path = f"{url.query['host']}/.s.PGSQL.5432"

    async def forward(reader, writer):
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(socket_path)
        await asyncio.gather(copy(reader, upstream_writer), copy(upstream_reader, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        engine = build_engine(f"postgresql://relay@bank.test:{port}/{url.database}", 1)
        async with engine.connect() as rows:
            assert (await rows.execute(text("select 1"))).scalar_one() == 1
        await engine.dispose()
    assert names.asked == {"bank.test": 1}


async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


HANGS = """
import asyncio, sys
from relay.infra.dns.event_loop import new_event_loop

async def main():
    asyncio.get_running_loop().name_servers = (sys.argv[1],)
    call = asyncio.ensure_future(asyncio.open_connection("hang.test", 1))
    await asyncio.wait({call}, timeout=0.2)

with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
"""


def test_a_process_exits_cleanly_while_a_name_hangs():
    async def run_child():
        server = NameServer()
        await server.start()
        server.silent = {"hang.test"}
        child = await asyncio.create_subprocess_exec(sys.executable, "-X", "dev", "-c", HANGS, server.place,
                                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        output, _ = await child.communicate()
        server.stop()
        assert server.asked["hang.test"] == 1
        return child.returncode, output

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(run_child()) == (0, b"")
