"""The private port on a thread of its own."""

import http.client
import socket
import threading
from contextlib import ExitStack, closing, contextmanager

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


def test_connections_of_one_address_are_limited(caplog):
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(socket.create_connection((LOOPBACK, server.port), timeout=5))
        with socket.create_connection((LOOPBACK, server.port), timeout=5) as refused:
            assert refused.recv(1) == b""
        with socket.create_connection((LOOPBACK, server.port), timeout=5, source_address=("127.0.0.2", 0)) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert other.recv(12) == b"HTTP/1.1 200"
        server.stop()
    (line,) = caplog.messages
    assert line == "connections refused: listener=admin reason=connections_per_address cause=127.0.0.1 count=1"


@pytest.mark.parametrize("request_line", ["GET /nowhere HTTP/1.1", "Tell-Me-Again"])
def test_what_is_no_request_is_not_repeated_and_names_no_software(request_line):
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    with socket.create_connection((LOOPBACK, server.port), timeout=5) as connection:
        connection.sendall(f"{request_line}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile().read()
    server.stop()
    assert answer.splitlines()[-1] in {"404", "400"}
    assert not [word for word in ("Again", "nowhere", "aiohttp", "Python") if word in answer]
