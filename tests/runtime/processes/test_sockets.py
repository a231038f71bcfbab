"""Sockets of listeners."""

import asyncio
import errno
import os
import select
import socket

import pytest

from relay.runtime.processes.sockets import bind_shared_sockets, bind_socket


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_bound_socket_does_not_listen_yet(address):
    with bind_socket(address, 0, "admin.port") as bound, socket.socket(bound.family) as peer:
        assert peer.connect_ex(bound.getsockname()[:2]) == errno.ECONNREFUSED


def test_an_address_in_use_is_named():
    with bind_socket("127.0.0.1", 0, "admin.port") as bound:
        bound.listen()
        port = bound.getsockname()[1]
        problem = (
            rf"admin\.port: cannot listen on 127\.0\.0\.1:{port}: Address already in use by process {os.getpid()}:"
        )
        with pytest.raises(OSError, match=problem):
            bind_socket("127.0.0.1", port, "admin.port")


def test_another_problem_names_the_setting_alone():
    with pytest.raises(OSError, match=r"^\[Errno \d+\] admin\.port: cannot listen on 192\.0\.2\.1:0: [A-Za-z ]+$"):
        bind_socket("192.0.2.1", 0, "admin.port")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_shared_sockets_have_one_address_and_both_get_connections(address):
    sockets = await bind_shared_sockets(address, 0, 2, "gateway.listeners[0]")
    (name,) = {each.getsockname() for each in sockets}
    for each in sockets:
        each.listen()
        each.setblocking(False)
    accepted = [0, 0]
    while not all(accepted):
        with socket.create_connection(name[:2]) as peer:
            readable, _, _ = select.select(sockets, [], [], 5)
            assert len(readable) == 1
            accepted[sockets.index(readable[0])] += 1
            readable[0].accept()[0].close()
            assert peer.recv(1) == b""
    for each in sockets:
        each.close()


async def test_a_second_relay_on_the_same_port_is_refused():
    (first,) = await bind_shared_sockets("127.0.0.1", 0, 1, "gateway.listeners[0]")
    with first:
        first.listen()
        with pytest.raises(OSError, match=rf"gateway\.listeners\[0\]: .* in use by process {os.getpid()}: stop it"):
            await bind_shared_sockets("127.0.0.1", first.getsockname()[1], 1, "gateway.listeners[0]", wait_s=0)


async def test_sockets_of_ended_workers_are_waited_for():
    (former,) = await bind_shared_sockets("127.0.0.1", 0, 1, "gateway.listeners[0]")
    former.listen()
    binding = asyncio.create_task(
        bind_shared_sockets("127.0.0.1", former.getsockname()[1], 1, "gateway.listeners[0]", wait_s=20)
    )
    await asyncio.sleep(0)
    former.close()
    (successor,) = await binding
    successor.close()
