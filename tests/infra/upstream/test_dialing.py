import asyncio
import gc
import socket
import ssl

import pytest

from relay.infra.upstream.dialing import Dialer, Instance, NotConnected, UnixDialer
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection

TIMES = ProviderTimeouts(connect_s=0.2, first_byte_s=1, total_s=2, idle_s=4)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://bank.test", ("bank.test", 443)),
        ("http://bank.test", ("bank.test", 80)),
        ("https://bank.test:9443/base", ("bank.test", 9443)),
        ("http://[::1]:80", ("::1", 80)),
    ],
)
def test_an_instance_has_host_and_port_of_its_base_url(url, address):
    assert Instance.of(url) == Instance(*address)


@pytest.mark.parametrize(
    ("announced", "seconds"),
    [
        (None, 4),
        (b"timeout=3", 2),
        (b"max=100, Timeout=2", 1),
        (b"timeout=1", 0),
        (b"timeout=0", 0),
        (b"timeout=60", 4),
        (b"timeout=99999999999999", 4),
        (b"max=5", 4),
        (b"timeout=soon", 4),
        (b"", 4),
    ],
)
def test_a_connection_idles_a_second_less_than_its_keep_alive_timeout(announced, seconds):
    connection = ClientConnection(lambda _: None)
    connection.keep_alive = announced
    assert Dialer(("http://x",), None, TIMES, None).idle_limit(connection) == seconds


@pytest.fixture
def listeners():
    """Two listening sockets."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        yield first, second


def urls(*listeners):
    return tuple(f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)


async def dial_port(dialer, first=0):
    connection = await dialer.dial(lambda _: None, first)
    assert connection is not None
    port = connection.transport.get_extra_info("peername")[1]
    connection.close()
    await asyncio.sleep(0)
    return port


async def test_the_requested_instance_is_dialled(listeners):
    dialer = Dialer(urls(*listeners), None, TIMES, asyncio.get_running_loop())
    assert dialer.instance_count == 2
    assert [await dial_port(dialer, first) for first in (0, 1, 0)] == [
        listeners[index].getsockname()[1] for index in (0, 1, 0)
    ]


async def test_a_connection_knows_its_instance(listeners):
    dialer = Dialer(("http://127.0.0.1:1", *urls(listeners[0])), None, TIMES, asyncio.get_running_loop())
    connection = await dialer.dial(lambda _: None, 1)
    assert connection.instance == 1
    connection.close()
    await asyncio.sleep(0)


async def test_a_host_that_is_no_valid_name_fails_with_dns():
    dialer = Dialer((f"http://{'a' * 70}.test:1",), None, TIMES, asyncio.get_running_loop())
    with pytest.raises(NotConnected, match=r"^dns$"):
        await dialer.dial(lambda _: None, 0)


async def test_an_instance_that_refuses_is_named():
    dialer = Dialer(("http://127.0.0.1:1",), None, TIMES, asyncio.get_running_loop())
    with pytest.raises(NotConnected, match=r"^refused$"):
        await dialer.dial(lambda _: None, 0)


async def test_a_handshake_whose_caller_is_gone_fails_silently(listeners):
    loop = asyncio.get_running_loop()
    reported = []
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
    url = urls(listeners[0])[0].replace("http:", "https:")
    dialing = loop.create_task(Dialer((url,), ssl.create_default_context(), TIMES, loop).dial(lambda _: None, 0))
    peer, _ = await asyncio.to_thread(listeners[0].accept)
    with peer:
        assert await asyncio.to_thread(peer.recv, 5)  # the handshake has begun
        dialing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialing
        async with asyncio.timeout(20):
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - the handshake ends by its own timeout
                await asyncio.sleep(0.01)
    gc.collect()
    assert reported == []


async def test_a_connection_knows_when_it_was_opened(listeners):
    loop = asyncio.get_running_loop()
    before = loop.time()
    connection = await Dialer(urls(listeners[0]), None, TIMES, loop).dial(lambda _: None, 0)
    assert before <= connection.opened_at <= loop.time()
    connection.close()
    await asyncio.sleep(0)


@pytest.fixture
def unix_path(tmp_path):
    """The path of a listening Unix socket."""
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


async def test_a_unix_socket_is_dialled_by_its_path(unix_path):
    loop = asyncio.get_running_loop()
    before = loop.time()
    dialer = UnixDialer(str(unix_path), TIMES, loop)
    connection = await dialer.dial(lambda _: None, 0)
    assert connection.transport.get_extra_info("peername") == str(unix_path)
    assert (dialer.instance_count, connection.instance, before <= connection.opened_at <= loop.time()) == (1, 0, True)
    connection.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("kind", "cause"), [("missing", "no_socket"), ("file", "refused"), ("stale socket", "refused")]
)
async def test_a_failed_unix_connection_names_its_cause(tmp_path, kind, cause):
    path = tmp_path / "other.sock"
    if kind == "file":
        path.write_bytes(b"")
    elif kind == "stale socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    with pytest.raises(NotConnected, match=f"^{cause}$"):
        await UnixDialer(str(path), TIMES, asyncio.get_running_loop()).dial(lambda _: None, 0)
