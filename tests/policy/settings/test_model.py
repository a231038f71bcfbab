"""Sections of relay.yaml: allowed values, and keys that depend on others."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.model import (
    AccessLogSettings,
    DrainSettings,
    GatewayLimits,
    GatewaySettings,
    GatewayTimeouts,
    Listener,
    RateSettings,
    ReloadSettings,
    Settings,
)

LEDGER = {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]}


def test_four_sections_are_enough_for_settings():
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
        (GatewaySettings, {}, "tls: is missing, but a listener has tls: true"),
        (Listener, {"tls": False}, "client_certificate: requires tls: true"),
        (Listener, {"proxy_protocol": {"enabled": True}}, "trusted: is empty, but enabled is true"),
    ],
)
def test_a_missing_key_names_the_key_that_requires_it(model, values, words):
    with pytest.raises(ValidationError, match=words):
        model.model_validate(values)


@pytest.mark.parametrize(
    ("model", "values", "key"),
    [
        (GatewayLimits, {"head_bytes": 1023}, "head_bytes"),
        (GatewayLimits, {"head_bytes": 65537}, "head_bytes"),
        (GatewayLimits, {"headers": 7}, "headers"),
        (GatewayLimits, {"body_bytes": 1_048_577}, "body_bytes"),
        (GatewayLimits, {"connections": 0}, "connections"),
        (GatewayLimits, {"connections_per_operator": 0}, "connections_per_operator"),
        (GatewayLimits, {"pipelined": 0}, "pipelined"),
        (GatewayLimits, {"pipelined": 257}, "pipelined"),
        (GatewayLimits, {"header": 100}, "header"),
        (GatewayTimeouts, {"head_s": 0}, "head_s"),
        (GatewayTimeouts, {"idle_s": 3601}, "idle_s"),
        (GatewayTimeouts, {"body_s": float("nan")}, "body_s"),
        (DrainSettings, {"delay_s": -1}, "delay_s"),
        (DrainSettings, {"finish_s": 0}, "finish_s"),
        (RateSettings, {"provider": {"per_second": 0, "burst": 1}}, "provider.per_second"),
        (RateSettings, {"provider": {"per_second": 1, "burst": 0}}, "provider.burst"),
        (RateSettings, {"provider": {"per_second": 1}}, "provider.burst"),
        (ReloadSettings, {"watch_s": -1}, "watch_s"),
        (AccessLogSettings, {"queue": 0}, "queue"),
        (GatewaySettings, {"listeners": []}, "listeners"),
        (Listener, {"proxy_protocol": {"trusted": ["balancer"]}}, "proxy_protocol.trusted.0"),
    ],
)
def test_an_invalid_value_is_named_by_its_key(model, values, key):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == key


def test_settings_are_immutable():
    with pytest.raises(ValidationError):
        GatewayLimits().pipelined = 1


def test_a_leased_line_needs_no_certificate():
    gateway = GatewaySettings(listeners=(Listener(tls=False, client_certificate=False),))
    assert gateway.tls is None
