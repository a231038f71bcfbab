import socket

import pytest
from harness import redis_server as redis_module
from harness.redis_server import RedisServer


def send(server, command):
    """Sends a command line and returns the response."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(server.socket))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(1000)


def test_a_private_server_runs_until_it_is_stopped():
    server = RedisServer()
    server.start()
    assert send(server, "SET one 1") == b"+OK\r\n"
    assert server.url == f"unix://{server.socket}"
    assert send(server, "CONFIG GET port") == b"*2\r\n$4\r\nport\r\n$1\r\n0\r\n"
    server.stop()
    assert not server.socket.parent.exists()


def test_a_killed_server_restarts_empty():
    server = RedisServer()
    server.start()
    send(server, "SET one 1")
    server.kill()
    with pytest.raises(OSError, match="No such file"):
        send(server, "PING")
    server.start()
    assert send(server, "GET one") == b"$-1\r\n"
    server.stop()


def test_a_failed_start_is_reported(monkeypatch):
    server = RedisServer()
    server.socket.mkdir()
    monkeypatch.setattr(redis_module, "STARTS_S", 5.0)
    with pytest.raises(AssertionError, match=r"(?i)socket"):
        server.start()
    server.stop()
