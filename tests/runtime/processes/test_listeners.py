"""Tests of the gateway's listeners."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest

from relay.policy.settings.model import GatewaySettings, Listener
from relay.runtime.processes.listeners import GatewayListeners, _limits
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.gateway import Relay
from relay.sandbox.environment import build

PLAIN = {"tls": False, "client_certificate": False, "port": 0}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), datetime.now(UTC))
    environment.close()
    return environment.settings


@pytest.fixture
async def build_listeners(settings):
    """Builds listeners of a relay and closes them at the end."""
    built = []
    relay = Relay(load_settings(settings, {}), asyncio.get_running_loop())

    def make(*settings):
        gateway = relay.loaded.settings.gateway.model_copy(update={"listeners": settings})
        listeners = GatewayListeners(relay)
        listeners._settings = gateway
        built.append(listeners)
        return listeners

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
    wire = _limits(GatewaySettings.model_validate({"listeners": [listener], "limits": limits, "timeouts": times}))
    assert {name: getattr(wire, name) for name in (*limits, *times)} == limits | times
