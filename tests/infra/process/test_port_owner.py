"""Tests of the search for the process that listens on a port."""

import os
import socket

import pytest

from relay.infra.process.port_owner import find_listening_pid

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0 100 0 0 10 0\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", ["same", "any", "host name"])
def test_this_process_is_found_by_its_port(address, name):
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        any_address = "::" if ":" in address else "0.0.0.0"
        wanted = {"same": address, "any": any_address, "host name": "localhost"}[name]
        assert find_listening_pid(wanted, server.getsockname()[1]) == os.getpid()


def test_a_port_that_nobody_listens_on_has_no_process():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert find_listening_pid("127.0.0.1", bound.getsockname()[1]) is None


@pytest.fixture
def proc(tmp_path):
    """A folder like /proc: processes 30 and 7 have the socket 42 that listens on 127.0.0.1:8443."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(HEAD + ROW.format("0100007F:20FB", "0A", 42))
    for pid, inode in (("30", 42), ("7", 42), ("5", 41)):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "fd" / "3").symlink_to(f"socket:[{inode}]")
    (tmp_path / "3").mkdir()  # of another user
    return tmp_path


@pytest.mark.parametrize(
    ("address", "port", "pid"),
    [("127.0.0.1", 8443, 7), ("0.0.0.0", 8443, 7), ("127.0.0.2", 8443, None), ("127.0.0.1", 8444, None)],
)
def test_of_several_processes_the_oldest_is_named(proc, address, port, pid):
    assert find_listening_pid(address, port, proc) == pid


def test_a_connection_is_no_listener(proc):
    (proc / "net" / "tcp").write_text(HEAD + ROW.format("0100007F:20FB", "01", 42))
    assert find_listening_pid("127.0.0.1", 8443, proc) is None
