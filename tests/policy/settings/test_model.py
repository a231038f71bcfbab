"""Settings alone: what a section needs of another."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.model import (
    AccessLog,
    Drain,
    GatewaySettings,
    Limits,
    Listener,
    Rates,
    Reload,
    Settings,
    Timeouts,
)

LEDGER = {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]}


def test_four_lines_are_settings():
    settings = Settings.model_validate(
        {
            "relay": {"org_code": "ZZRELAY001", "name": "Relay"},
            "gateway": {"tls": {"certificate": "a", "private_key": "env:K", "client_ca": "b"}},
            "tokens": {"issuer": "ZZRELAY001", "keys": "keys"},
            "ledger": LEDGER,
        }
    )
    assert settings.gateway.listeners == (Listener(),)
    assert settings.directory == "directory.yaml"


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (GatewaySettings, {}, "tls: is missing though a listener asks for tls"),
        (Listener, {"tls": False}, "client_certificate: needs tls"),
        (Listener, {"proxy_protocol": {"enabled": True}}, "trusted: is empty though enabled is true"),
    ],
)
def test_sections_that_need_something_say_so(model, values, words):
    with pytest.raises(ValidationError, match=words):
        model.model_validate(values)


@pytest.mark.parametrize(
    ("model", "values", "key"),
    [
        (Limits, {"head_bytes": 1023}, "head_bytes"),
        (Limits, {"head_bytes": 65537}, "head_bytes"),
        (Limits, {"headers": 7}, "headers"),
        (Limits, {"body_bytes": 1_048_577}, "body_bytes"),
        (Limits, {"connections": 0}, "connections"),
        (Limits, {"connections_per_operator": 0}, "connections_per_operator"),
        (Limits, {"pipelined": 0}, "pipelined"),
        (Limits, {"pipelined": 257}, "pipelined"),
        (Limits, {"header": 100}, "header"),
        (Timeouts, {"head_s": 0}, "head_s"),
        (Timeouts, {"idle_s": 3601}, "idle_s"),
        (Timeouts, {"body_s": float("nan")}, "body_s"),
        (Drain, {"delay_s": -1}, "delay_s"),
        (Drain, {"finish_s": 0}, "finish_s"),
        (Rates, {"provider": {"per_second": 0, "burst": 1}}, "provider.per_second"),
        (Rates, {"provider": {"per_second": 1, "burst": 0}}, "provider.burst"),
        (Rates, {"provider": {"per_second": 1}}, "provider.burst"),
        (Reload, {"watch_s": -1}, "watch_s"),
        (AccessLog, {"queue": 0}, "queue"),
        (GatewaySettings, {"listeners": []}, "listeners"),
        (Listener, {"proxy_protocol": {"trusted": ["balancer"]}}, "proxy_protocol.trusted.0"),
    ],
)
def test_a_value_out_of_its_range_is_named(model, values, key):
    with pytest.raises(ValidationError) as found:
        model.model_validate(values)
    assert ".".join(map(str, found.value.errors()[0]["loc"])) == key


def test_settings_do_not_change_once_they_are_read():
    with pytest.raises(ValidationError):
        Limits().pipelined = 1


def test_a_leased_line_needs_no_certificate():
    gateway = GatewaySettings(listeners=(Listener(tls=False, client_certificate=False),))
    assert gateway.tls is None
