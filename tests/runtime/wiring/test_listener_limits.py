"""Tests of connection limits and open files computed from settings."""

from types import SimpleNamespace

import pytest

from relay.policy.settings.authority import AuthoritySettings, LedgerSettings, PagesLimits, PagesSettings
from relay.policy.settings.core import CoreSettings
from relay.policy.settings.directory import Language
from relay.policy.settings.model import GatewayLimits, GatewaySettings, Listener, UpstreamSettings
from relay.runtime.wiring.listener_limits import (
    adapter_connection_limits,
    gateway_connection_limits,
    max_adapter_files,
    max_authority_files,
    max_gateway_files,
    pages_connection_limits,
)

AUTHORITY = AuthoritySettings.model_construct(concurrency=100, pages=None)
PLAIN = Listener(tls=False, client_certificate=False)


def loaded(connections=500, institutions=(None, 30), pages=None, handshakes=50):
    settings = SimpleNamespace(
        gateway=GatewaySettings(
            listeners=(PLAIN,), limits=GatewayLimits(connections=connections, handshakes=handshakes)
        ),
        upstream=UpstreamSettings(concurrency=10),
        authority=AUTHORITY.model_copy(update={"pages": pages}),
        ledger=LedgerSettings.model_construct(connections=5),
    )
    return SimpleNamespace(settings=settings, providers=[SimpleNamespace(concurrency=each) for each in institutions])


def test_the_authority_takes_four_gateways_at_once():
    limits = gateway_connection_limits(AUTHORITY)
    assert (limits.connections, limits.connections_per_address) == (464, 464)


def test_pages_limits_come_from_the_settings():
    pages = PagesSettings(
        url="https://a.example", proxies=("10.0.0.0/8",), limits=PagesLimits(connections=7, connections_per_address=3)
    )
    limits = pages_connection_limits(pages)
    assert (limits.connections, limits.connections_per_address, limits.new_connections.burst) == (7, 3, 200)
    assert [str(network) for network in limits.proxies] == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ({"connections": 600}, 100),
        ({"handshakes": 80}, 30),
        ({"institutions": (None, 30, 70)}, 70),
        ({"institutions": (None, 30, None)}, 10),
    ],
)
def test_a_gateway_needs_a_file_for_each_caller_and_call(values, more):
    assert max_gateway_files(loaded(**values)) - max_gateway_files(loaded()) == more
    assert max_gateway_files(loaded()) > 500 + 10 + 30 + 100


def test_an_authority_needs_two_files_for_each_caller():
    pages = PagesSettings(url="https://a.example", limits=PagesLimits(connections=300))
    assert max_authority_files(loaded(pages=pages)) - max_authority_files(loaded()) == 600
    assert max_authority_files(loaded()) > 2 * 464


def test_an_adapter_has_room_for_the_calls_of_four_gateways():
    core = CoreSettings(addresses=("core:1",), lines=50, requests=10)
    few = SimpleNamespace(core=core, concurrency=None, needs_adapter=True, speaks=Language.TELEGRAM)
    many = SimpleNamespace(core=core, concurrency=2000, needs_adapter=True, speaks=Language.TELEGRAM)
    other = SimpleNamespace(core=None, concurrency=9999, needs_adapter=False, speaks=Language.STANDARD)
    own_json = SimpleNamespace(core=None, concurrency=None, needs_adapter=True, speaks=Language.JSON)
    upstream = SimpleNamespace(concurrency=300)

    def load(*providers):
        return SimpleNamespace(providers=providers, settings=SimpleNamespace(upstream=upstream))

    assert adapter_connection_limits(load(few, other)).connections == 4 * 500 + 64
    assert adapter_connection_limits(load(many)).connections == 4 * 2000 + 64
    assert adapter_connection_limits(load(own_json)).connections == 4 * 300 + 64
    assert adapter_connection_limits(load()).connections == 1024 + 64
    assert max_adapter_files(load(few)) > 4 * 500 + 2 * 500
    assert max_adapter_files(load(own_json)) > 4 * 300 + 300
