"""The private port on a thread of its own."""

import http.client
import socket
import threading
from contextlib import closing, contextmanager

import pytest
from aiohttp import web

from relay.admin.server import AdminServer

LOOPBACK = "127.0.0.1"


def app():
    async def where(_request):
        return web.Response(text=threading.current_thread().name)

    found = web.Application()
    found.add_routes([web.get("/", where)])
    return found


@contextmanager
def asking(port):
    """What the port says, while the connection stays open."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=5)) as connection:
        connection.request("GET", "/")
        yield connection.getresponse().read().decode()


def asked(port):
    with asking(port) as text:
        return text


def test_it_answers_from_its_own_thread_until_it_is_stopped():
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    port = server.port
    assert port > 0
    assert asked(port) == "admin"
    server.stop()
    assert "admin" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        asked(port)


def test_a_caller_that_stays_does_not_hold_up_the_stop():
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    with asking(server.port):
        server.stop()
    assert not server._thread.is_alive()


def test_a_port_that_is_taken_is_said_at_the_start():
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        server = AdminServer(app(), LOOPBACK, port)
        with pytest.raises(OSError, match=str(port)):
            server.start()
        server._thread.join(5)
        assert not server._thread.is_alive()
