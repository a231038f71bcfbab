"""Tests of the longest time that a relay takes to stop."""

from relay.policy.settings.model import DrainSettings, GatewaySettings, Listener
from relay.policy.settings.stop_time import GRACE_S, compute_gateway_stop_s, compute_stop_s

LISTENERS = (Listener(tls=False, client_certificate=False),)


def test_the_defaults_stop_before_kubernetes_kills():
    assert compute_stop_s(GatewaySettings(listeners=LISTENERS)) < GRACE_S


def test_both_times_of_a_drain_count():
    drain = DrainSettings(delay_s=100, finish_s=200)
    gateway_s = compute_gateway_stop_s(drain)
    assert 300 < gateway_s < compute_stop_s(GatewaySettings(listeners=LISTENERS, drain=drain)) < 315
