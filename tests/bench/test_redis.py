import socket

import pytest
from rig import redis as room
from rig.redis import RedisServer


def says(server, command):
    """What the server answers to one line."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(server.socket))
        line.sendall(f"{command}\r\n".encode())
        return line.recv(1000)


def test_a_server_of_our_own_is_there_until_it_is_stopped():
    server = RedisServer()
    server.start()
    assert says(server, "SET one 1") == b"+OK\r\n"
    assert server.url == f"unix://{server.socket}"
    assert says(server, "CONFIG GET port") == b"*2\r\n$4\r\nport\r\n$1\r\n0\r\n"
    server.stop()
    assert not server.socket.parent.exists()


def test_one_that_was_killed_comes_back_empty():
    server = RedisServer()
    server.start()
    says(server, "SET one 1")
    server.kill()
    with pytest.raises(OSError, match="No such file"):
        says(server, "PING")
    server.start()
    assert says(server, "GET one") == b"$-1\r\n"
    server.stop()


def test_what_keeps_it_from_starting_is_told(monkeypatch):
    server = RedisServer()
    server.socket.mkdir()
    monkeypatch.setattr(room, "STARTS_S", 5.0)
    with pytest.raises(AssertionError, match=r"(?i)socket"):
        server.start()
    server.stop()
