"""Settings alone: what a section needs of another."""

import pytest
from pydantic import ValidationError

from relay.policy.settings import GatewaySettings, Listener, Settings, Tokens

KEY = {"kid": "one", "public_key": "a.pub"}


def test_four_lines_are_settings():
    settings = Settings.model_validate(
        {
            "relay": {"org_code": "ZZRELAY001", "name": "Relay"},
            "gateway": {"tls": {"certificate": "a", "private_key": "env:K", "client_ca": "b"}},
            "tokens": {"issuer": "ZZRELAY001", "keys": [KEY]},
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
        (Tokens, {"issuer": "ZZRELAY001", "keys": [KEY, KEY]}, r"keys\[1\].kid: stands twice"),
    ],
)
def test_sections_that_need_something_say_so(model, values, words):
    with pytest.raises(ValidationError, match=words):
        model.model_validate(values)


def test_a_leased_line_needs_no_certificate():
    gateway = GatewaySettings(listeners=(Listener(tls=False, client_certificate=False),))
    assert gateway.tls is None
