"""Tests of the gateway's listeners."""

import asyncio
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from mydata_sandbox.environment.build import build

from relay.policy.settings.model import GatewaySettings, Listener
from relay.runtime.processes.listeners import GatewayListeners, build_server_limits
from relay.runtime.processes.sockets import bind_socket
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.gateway import Relay

PLAIN = {"tls": False, "client_certificate": False, "port": 0}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), datetime.now(UTC))
    environment.close()
    return load_settings(environment.settings, {})


@pytest.fixture
async def build_listeners(loaded):
    """Builds listeners of a relay and closes them at the end."""
    built = []

    def make(*listeners, sockets=()):
        gateway = loaded.settings.gateway.model_copy(update={"listeners": listeners})
        settings = loaded.settings.model_copy(update={"gateway": gateway})
        relay = Relay(replace(loaded, settings=settings), asyncio.get_running_loop())
        built.append(GatewayListeners(relay, sockets))
        return built[-1]

    yield make
    for listeners in built:
        await listeners.close()


async def connect(address, port):
    _, writer = await asyncio.open_connection(address, port)
    writer.transport.abort()


async def test_every_listener_has_a_port_in_the_order_of_the_settings(build_listeners):
    listeners = build_listeners(Listener(address="127.0.0.1", **PLAIN), Listener(address="127.0.0.2", **PLAIN))
    listeners.start()
    assert len(set(listeners.ports)) == 2
    for address, port in zip(("127.0.0.1", "127.0.0.2"), listeners.ports, strict=True):
        await connect(address, port)
    with pytest.raises(ConnectionRefusedError):
        await connect("127.0.0.3", listeners.ports[0])


async def test_an_ipv6_address_is_listened_on(build_listeners):
    listeners = build_listeners(Listener(address="::1", **PLAIN))
    listeners.start()
    await connect("::1", listeners.ports[0])


async def test_a_closed_listener_accepts_nothing_and_has_no_port(build_listeners):
    listeners = build_listeners(Listener(address="127.0.0.1", **PLAIN))
    listeners.start()
    (port,) = listeners.ports
    await listeners.close()
    assert listeners.ports == []
    with pytest.raises(ConnectionRefusedError):
        await connect("127.0.0.1", port)


async def test_a_port_that_is_taken_opens_nothing(build_listeners):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listeners = build_listeners(Listener(address="127.0.0.1", **PLAIN | {"port": taken.getsockname()[1]}))
        with pytest.raises(OSError, match="in use"):
            listeners.start()
    assert listeners.ports == []


def test_the_server_gets_limits_and_timeouts_of_the_settings():
    listener = Listener(**PLAIN)
    limits = {"head_bytes": 2048, "headers": 9, "body_bytes": 4096, "pipelined": 3}
    times = {"head_s": 1.5, "body_s": 2.5, "idle_s": 3.5}
    wire = build_server_limits(
        GatewaySettings.model_validate({"listeners": [listener], "limits": limits, "timeouts": times})
    )
    assert {name: getattr(wire, name) for name in (*limits, *times)} == limits | times


async def test_the_sockets_of_another_worker_are_adopted_and_released(build_listeners):
    listeners = build_listeners(Listener(address="127.0.0.1", **PLAIN))
    with bind_socket("127.0.0.1", 0, "admin.port") as other:
        listeners.adopt(2, [other])  # it does not listen itself yet: nothing happens
        listeners.start()
        port = other.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await connect("127.0.0.1", port)
        listeners.adopt(2, [other])
        listeners.adopt(2, [other])
        await connect("127.0.0.1", port)
        await listeners.release(2)
        await listeners.release(2)
        await connect("127.0.0.1", port)  # the parent's socket still listens: connections wait
        listeners.adopt(2, [other])
        await listeners.stop_accepting()
        assert listeners.ports == []
        await connect("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        await connect("127.0.0.1", port)


async def test_a_worker_listens_on_given_sockets(build_listeners):
    with bind_socket("127.0.0.1", 0, "admin.port") as given:
        listeners = build_listeners(Listener(address="192.0.2.1", **PLAIN), sockets=[given])
        listeners.start()
        assert listeners.ports == [given.getsockname()[1]]
        await connect("127.0.0.1", listeners.ports[0])


async def test_a_bound_address_where_another_listens_first_is_named(build_listeners):
    """Two relays that start at the same time may both bind their addresses: nothing listens there yet."""
    with bind_socket("127.0.0.1", 0, "admin.port") as other:
        port = other.getsockname()[1]
        listeners = build_listeners(Listener(address="127.0.0.1", **PLAIN | {"port": port}))
        listeners.bind()
        other.listen()
        problem = (
            rf"gateway\.listeners\[0\]: cannot listen on 127\.0\.0\.1:{port}: .* by process {os.getpid()}: stop it"
        )
        with pytest.raises(OSError, match=problem):
            listeners.start()
        listeners.unbind()
