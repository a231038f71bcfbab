import json
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml
from harness.gateways import SharedConfig, aiohttp_settings, haproxy_config, nginx_config, relay_command, upstream_argv
from harness.identity import Identity
from harness.layout import COMPILED, ROOT, SIZES, Ports, render
from harness.relay_settings import Operator, merge, write_relay_settings

from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings

PORTS = Ports(plain=7001, tls=7002, mtls=7003, admin=7004)
UPSTREAMS = {org: 7100 + number for number, org in enumerate(SIZES)}


@pytest.fixture
def identity(tmp_path):
    return Identity(tmp_path / "identity", None, None)


@pytest.fixture
def shared(identity):
    return SharedConfig(identity, UPSTREAMS)


def test_a_placeholder_without_value_is_refused():
    with pytest.raises(ValueError, match="@PORT@"):
        render("listen @HOST@:@PORT@", {"HOST": "127.0.0.1"})


def test_a_value_without_placeholder_is_refused():
    with pytest.raises(ValueError, match="@PORT@"):
        render("listen", {"PORT": 1})


@pytest.mark.parametrize("listener", ["7001", "7002", "7003"])
def test_every_gateway_listens_on_every_port(shared, listener):
    folder = Path("/bench/build/x")
    for text in (
        nginx_config(shared, PORTS, folder),
        haproxy_config(shared, PORTS),
        aiohttp_settings(shared, PORTS, folder),
    ):
        assert listener in text
        assert "@" not in text.replace("@NAME@", "")


@pytest.mark.parametrize("org", SIZES)
def test_every_gateway_knows_every_provider(shared, org):
    assert f"upstream provider_{org} " in nginx_config(shared, PORTS, Path("/x"))
    assert f"backend provider_{org}\n" in haproxy_config(shared, PORTS)
    assert org in json.loads(aiohttp_settings(shared, PORTS, Path("/x")))["providers"]


def test_upstream_serves_each_size_on_its_own_port():
    assert upstream_argv("upstream", UPSTREAMS) == [
        "upstream",
        "127.0.0.1",
        "7100:2048",
        "7101:1048576",
        "7102:8388608",
    ]


def test_the_relays_settings_are_valid(tmp_path, identity):
    path = write_relay_settings(tmp_path, identity, UPSTREAMS, PORTS)
    settings = Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert [listener.port for listener in settings.gateway.listeners] == [7001, 7002, 7003]
    assert settings.checking == "strict"
    directory = Directory.model_validate(yaml.safe_load(Path(settings.directory).read_text(encoding="utf-8")))
    assert ip_address("127.0.0.1") in ip_network(directory.operators[0].addresses[0])
    providers = sorted(Path(settings.providers).iterdir())
    models = [Provider.model_validate(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in providers]
    assert {provider.org_code for provider in models} == set(SIZES)


@pytest.mark.parametrize(("form", "folder"), [("relay", ROOT), ("relay_compiled", COMPILED)])
def test_each_form_is_imported_from_its_own_folder(shared, form, folder):
    command = relay_command(shared, form, Path("relay.yaml"))
    assert command[:3] == ["env", "PYTHONSAFEPATH=1", f"PYTHONPATH={folder}"]
    assert command[4:] == ["-m", "relay", "serve", "--role", "gateway", "-c", "relay.yaml"]


def test_a_script_of_the_harness_gets_the_settings_first(shared):
    command = relay_command(shared, "relay", Path("relay.yaml"), ("gateway_process.py", "lines", "--probe"))
    assert command[-3:] == ["relay.yaml", "lines", "--probe"]
    assert Path(command[-4]).is_file()


def test_changed_settings_are_merged_into_sections():
    settings = {"gateway": {"limits": {"connections": 1, "handshakes": 2}}, "checking": "strict"}
    changes = {"gateway": {"limits": {"connections": 9}}, "tokens": {"memory": 5}}
    assert merge(settings, changes) == {
        "gateway": {"limits": {"connections": 9, "handshakes": 2}},
        "checking": "strict",
        "tokens": {"memory": 5},
    }


def test_a_relay_may_have_other_operators_and_no_tokens(tmp_path, identity):
    operators = [Operator(f"ZO{number:08}", f"{number:010}", f"client{number:010}") for number in range(3)]
    changes = {"gateway": {"listeners": [{"port": 7003, "tls": True, "client_certificate": True}]}}
    path = write_relay_settings(
        tmp_path, identity, UPSTREAMS, PORTS, changes=changes, operators=operators, has_tokens=False
    )
    settings = Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    directory = Directory.model_validate(yaml.safe_load(Path(settings.directory).read_text(encoding="utf-8")))
    assert [operator.org_code for operator in directory.operators] == [operator.org_code for operator in operators]
