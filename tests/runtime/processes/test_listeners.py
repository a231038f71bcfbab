"""Listeners: those of the settings, on the addresses of the settings, or a clear refusal."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest

from relay.policy.settings.model import GatewaySettings, Listener
from relay.runtime.processes.listeners import Listening, _limits
from relay.runtime.settings.loading import load
from relay.runtime.wiring.gateway import Relay
from relay.sandbox.street import build

PLAIN = {"tls": False, "client_certificate": False, "port": 0}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    street = build(tmp_path_factory.mktemp("street"), datetime.now(UTC))
    street.close()
    return street.settings


@pytest.fixture
async def listening(settings):
    """Makes the listeners of a relay; those that are open at the end are closed."""
    made = []
    relay = Relay(load(settings, {}), asyncio.get_running_loop())

    def make(*listeners):
        gateway = relay.loaded.settings.gateway.model_copy(update={"listeners": listeners})
        found = Listening(relay)
        found._settings = gateway
        made.append(found)
        return found

    yield make
    for found in made:
        await found.close()


async def connects(address, port):
    _, writer = await asyncio.open_connection(address, port)
    writer.transport.abort()


async def test_every_listener_has_a_port_in_the_order_of_the_settings(listening):
    found = listening(Listener(address="127.0.0.1", **PLAIN), Listener(address="127.0.0.2", **PLAIN))
    found.start()
    assert len(set(found.ports)) == 2
    for address, port in zip(("127.0.0.1", "127.0.0.2"), found.ports, strict=True):
        await connects(address, port)
    with pytest.raises(ConnectionRefusedError):
        await connects("127.0.0.3", found.ports[0])


async def test_an_address_of_version_6_is_listened_on(listening):
    found = listening(Listener(address="::1", **PLAIN))
    found.start()
    await connects("::1", found.ports[0])


async def test_after_the_close_nobody_is_let_in_and_no_port_is_told(listening):
    found = listening(Listener(address="127.0.0.1", **PLAIN))
    found.start()
    (port,) = found.ports
    await found.close()
    assert found.ports == []
    with pytest.raises(ConnectionRefusedError):
        await connects("127.0.0.1", port)


async def test_a_port_that_is_taken_opens_nothing(listening):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = listening(Listener(address="127.0.0.1", **PLAIN | {"port": taken.getsockname()[1]}))
        with pytest.raises(OSError, match="in use"):
            found.start()
    assert found.ports == []


def test_limits_and_times_of_the_settings_are_those_of_the_wire():
    listener = Listener(**PLAIN)
    limits = {"head_bytes": 2048, "headers": 9, "body_bytes": 4096, "pipelined": 3}
    times = {"head_s": 1.5, "body_s": 2.5, "idle_s": 3.5}
    wire = _limits(GatewaySettings.model_validate({"listeners": [listener], "limits": limits, "timeouts": times}))
    assert {name: getattr(wire, name) for name in (*limits, *times)} == limits | times
