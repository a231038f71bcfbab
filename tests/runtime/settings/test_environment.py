"""Environment variables override relay.yaml."""

import pytest

from relay.policy.settings.model import Settings
from relay.runtime.settings.environment import format_variable
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.settings.messages import find_leaves, get_schema_node


@pytest.mark.parametrize(
    ("variable", "value", "is_set"),
    [
        ("RELAY__GATEWAY__LIMITS__BODY_BYTES", "4096", lambda settings: settings.gateway.limits.body_bytes == 4096),
        ("RELAY__ADMIN__PORT", "0", lambda settings: settings.admin.port == 0),
        ("RELAY__GATEWAY__LISTENERS__0__PORT", "9443", lambda settings: settings.gateway.listeners[0].port == 9443),
        ("RELAY__GATEWAY__LISTENERS__1__PORT", "9443", lambda settings: settings.gateway.listeners[1].port == 9443),
        ("RELAY__RELAY__ORG_CODE", "1234567890", lambda settings: settings.relay.org_code == "1234567890"),
        ("RELAY__CHECKING", "off", lambda settings: settings.checking == "off"),
        ("RELAY__RELOAD__WATCH_S", "1.5", lambda settings: settings.reload.watch_s == 1.5),
        ("RELAY__ACCESS_LOG__PATH", "a.log", lambda settings: settings.access_log.path.endswith("/a.log")),
        ("RELAY__GATEWAY__TLS__PRIVATE_KEY", "env:K", lambda settings: settings.gateway.tls.private_key == "env:K"),
    ],
)
def test_a_variable_sets_one_value(folder, variable, value, is_set):
    assert is_set(load_settings(folder.path, {variable: value, "OTHER": "x", "relay__admin__port": "x"}).settings)


def test_a_variable_can_name_another_providers_folder(folder):
    (folder.root / "providers").rename(folder.root / "banks")
    assert load_settings(folder.path, {"RELAY__PROVIDERS": "banks"}).provider_files == (
        folder.root / "banks/bank.yaml",
    )


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "RELAY__ADMIN__PORT",
            "x",
            "RELAY__ADMIN__PORT: is not a whole number; expected: a whole number from 0 to 65535",
        ),
        (
            "RELAY__ADMIN__PORT",
            "",
            "RELAY__ADMIN__PORT: is not a whole number; expected: a whole number from 0 to 65535",
        ),
        ("RELAY__ADMIN__PROT", "1", "RELAY__ADMIN__PROT: is unknown (did you mean RELAY__ADMIN__PORT?); expected: "),
        ("RELAY__", "1", "RELAY__: is unknown"),
        (
            "RELAY__ADMIN__PORT__X",
            "1",
            "RELAY__ADMIN__PORT__X: is unknown (did you mean RELAY__ADMIN__PORT?); expected: ",
        ),
        ("RELAY__ADMIN", "1", "RELAY__ADMIN: names a section or a list; expected: the name of a single value"),
        ("RELAY__GATEWAY__LISTENERS", "[]", "RELAY__GATEWAY__LISTENERS: names a section or a list; "),
        (
            "RELAY__GATEWAY__LISTENERS__7__PORT",
            "1",
            "RELAY__GATEWAY__LISTENERS__7__PORT: names no place in the settings; expected: an index at most one past ",
        ),
        ("RELAY__RELAY__NAME", "\udcff", "RELAY__RELAY__NAME: is not UTF-8; expected: UTF-8 text"),
    ],
)
def test_a_bad_variable_is_a_problem_of_the_environment(folder, variable, value, line):
    with pytest.raises(SettingsError) as caught:
        load_settings(folder.path, {variable: value})
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"environment: {line}")


def test_a_variable_does_not_hide_that_its_section_is_invalid(folder):
    folder.put("relay.yaml", "admin", 5)
    with pytest.raises(SettingsError) as caught:
        load_settings(folder.path, {"RELAY__ADMIN__PORT": "1"})
    assert {problem.key for problem in caught.value.problems} == {"admin", "RELAY__ADMIN__PORT"}


def test_every_single_value_has_a_variable(folder):
    nodes = {format_variable(key_path): get_schema_node(Settings, key_path) for key_path in find_leaves(Settings)}
    variables = {name: "x" for name, node in nodes.items() if node.get("type") != "array"}
    assert len(variables) > 40
    with pytest.raises(SettingsError) as caught:
        load_settings(folder.path, variables)
    assert not [str(problem) for problem in caught.value.problems if "is unknown" in problem.wrong]
