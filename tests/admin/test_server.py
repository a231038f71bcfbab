"""The admin server on its own thread."""

import http.client
import socket
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest
from aiohttp import web

from relay.admin.server import AdminServer

LOOPBACK = "127.0.0.1"


def app():
    async def thread_name(_request):
        return web.Response(text=threading.current_thread().name)

    application = web.Application()
    application.add_routes([web.get("/", thread_name)])
    return application


@contextmanager
def open_request(port):
    """Yields the response body while the connection stays open."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=5)) as connection:
        connection.request("GET", "/")
        yield connection.getresponse().read().decode()


def fetch(port):
    with open_request(port) as text:
        return text


def find_threads():
    """Returns the running threads of admin servers."""
    return [thread for thread in threading.enumerate() if thread.name == "admin"]


def test_requests_are_served_on_the_admin_thread_until_stop():
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    port = server.port
    assert port > 0
    assert fetch(port) == "admin"
    server.stop()
    assert find_threads() == []
    with pytest.raises(ConnectionRefusedError):
        fetch(port)


def test_an_open_connection_does_not_delay_the_stop():
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    with open_request(server.port):
        server.stop()
    assert find_threads() == []


def test_a_port_in_use_is_an_error_at_the_start():
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        server = AdminServer(app(), LOOPBACK, port)
        with pytest.raises(OSError, match=str(port)):
            server.start()
        for thread in find_threads():
            thread.join(5)
        assert find_threads() == []


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
def test_an_error_response_names_neither_request_nor_software(request_line):
    server = AdminServer(app(), LOOPBACK, 0)
    server.start()
    with socket.create_connection((LOOPBACK, server.port), timeout=5) as connection:
        connection.sendall(f"{request_line}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        response = connection.makefile().read()
    server.stop()
    assert response.splitlines()[-1] in {"404", "400"}
    assert not [text for text in ("Again", "nowhere", "aiohttp", "Python") if text in response]


def test_a_bound_port_that_another_server_got_first_is_refused():
    """Two sockets may be bound to one address until one of them listens."""
    sockets = [socket.socket(), socket.socket()]
    port = 0
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((LOOPBACK, port))
        port = each.getsockname()[1]
    first, second = (AdminServer(app(), LOOPBACK, port) for _ in sockets)
    first.start(sockets[0])
    with pytest.raises(OSError, match="Address already in use"):
        second.start(sockets[1])
    second.stop()
    assert fetch(port) == "admin"
    first.stop()
    assert find_threads() == []
