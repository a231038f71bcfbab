import asyncio
import socket

import pytest

from relay.infra.upstream.dialing import Dialer, Instance, NotConnected, UnixDialer
from relay.policy.settings.scalars import ProviderTimeouts
from relay.wire.client import ClientConnection

TIMES = ProviderTimeouts(connect_s=0.2, first_byte_s=1, total_s=2, idle_s=4)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://bank.test", ("bank.test", 443)),
        ("http://bank.test", ("bank.test", 80)),
        ("https://bank.test:9443/base", ("bank.test", 9443)),
        ("http://[::1]:80", ("::1", 80)),
    ],
)
def test_a_base_url_names_host_and_port(url, place):
    assert Instance.of(url) == Instance(*place)


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
def test_a_line_idles_a_second_less_than_the_institution_announced(announced, seconds):
    connection = ClientConnection(lambda _: None)
    connection.keep_alive = announced
    assert Dialer(("http://x",), None, TIMES, None).idle_limit(connection) == seconds


@pytest.fixture
def doors():
    """Two listening sockets."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        yield one, other


def urls(*doors):
    return tuple(f"http://127.0.0.1:{door.getsockname()[1]}" for door in doors)


async def dialled(dialer, first=0):
    connection = await dialer.dial(lambda _: None, first)
    assert connection is not None
    port = connection.transport.get_extra_info("peername")[1]
    connection.close()
    await asyncio.sleep(0)
    return port


async def test_the_place_that_is_asked_for_is_tried_first(doors):
    dialer = Dialer(urls(*doors), None, TIMES, asyncio.get_running_loop())
    assert dialer.places == 2
    assert [await dialled(dialer, first) for first in (0, 1, 0)] == [doors[one].getsockname()[1] for one in (0, 1, 0)]


async def test_a_line_knows_which_place_it_leads_to(doors):
    dialer = Dialer(("http://127.0.0.1:1", *urls(doors[0])), None, TIMES, asyncio.get_running_loop())
    connection = await dialer.dial(lambda _: None, 0)
    assert connection.place == 1
    connection.close()
    await asyncio.sleep(0)


async def test_a_host_that_can_be_no_name_is_nobody():
    dialer = Dialer((f"http://{'a' * 70}.test:1",), None, TIMES, asyncio.get_running_loop())
    with pytest.raises(NotConnected, match=r"^dns$"):
        await dialer.dial(lambda _: None, 0)


async def test_a_place_that_refuses_is_passed_over(doors):
    dialer = Dialer(("http://127.0.0.1:1", *urls(doors[0])), None, TIMES, asyncio.get_running_loop())
    assert {await dialled(dialer) for _ in range(3)} == {doors[0].getsockname()[1]}


async def test_places_that_all_fail_are_named_by_their_causes():
    urls = ("http://127.0.0.1:1", "http://localhost:1", f"http://{'a' * 70}.test:1")
    with pytest.raises(NotConnected, match=r"^refused dns$"):
        await Dialer(urls, None, TIMES, asyncio.get_running_loop()).dial(lambda _: None, 0)


async def test_a_fresh_line_knows_when_it_was_born(doors):
    loop = asyncio.get_running_loop()
    before = loop.time()
    connection = await Dialer(urls(doors[0]), None, TIMES, loop).dial(lambda _: None, 0)
    assert before <= connection.born <= loop.time()
    connection.close()
    await asyncio.sleep(0)


@pytest.fixture
def neighbour(tmp_path):
    """The path of a unix socket that listens."""
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        yield path


async def test_a_neighbour_is_dialled_by_its_path(neighbour):
    loop = asyncio.get_running_loop()
    before = loop.time()
    dialer = UnixDialer(str(neighbour), TIMES, loop)
    connection = await dialer.dial(lambda _: None, 0)
    assert connection.transport.get_extra_info("peername") == str(neighbour)
    assert (dialer.places, connection.place, before <= connection.born <= loop.time()) == (1, 0, True)
    connection.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("there", "cause"), [("nothing", "no_socket"), ("a file", "refused"), ("nobody behind it", "refused")]
)
async def test_a_neighbour_who_is_not_there_is_named_by_its_cause(tmp_path, there, cause):
    path = tmp_path / "other.sock"
    if there == "a file":
        path.write_bytes(b"")
    elif there == "nobody behind it":
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(path))
    with pytest.raises(NotConnected, match=f"^{cause}$"):
        await UnixDialer(str(path), TIMES, asyncio.get_running_loop()).dial(lambda _: None, 0)
