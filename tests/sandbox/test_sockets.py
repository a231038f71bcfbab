import socket

import pytest
from mydata_sandbox.sockets import bind_exactly, bind_socket, build_url


def test_a_port_in_use_is_replaced_by_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as used:
        taken = used.getsockname()[1]
        with bind_socket(taken) as listener:
            assert listener.getsockname()[1] not in {0, taken}


def test_an_exact_port_in_use_is_an_error_with_its_number():
    with socket.create_server(("127.0.0.1", 0)) as used:
        taken = used.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{taken}, a port of this sandbox: "):
            bind_exactly(taken)
    with bind_exactly(taken) as listener:
        assert listener.getsockname() == ("127.0.0.1", taken)


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_the_url_of_a_socket_has_address_and_port(address, host):
    with bind_socket(address=address) as listener:
        port = listener.getsockname()[1]
        assert build_url(listener) == f"https://{host}:{port}"
        assert build_url(listener, "http") == f"http://{host}:{port}"


def test_free_ports_are_not_those_of_outgoing_connections():
    listeners = [bind_socket() for _ in range(50)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    assert len(set(ports)) == 50
    assert max(ports) < 32768


def test_a_foreign_address_is_an_error():
    with pytest.raises(OSError, match="Cannot assign"):
        bind_socket(address="192.0.2.1")
