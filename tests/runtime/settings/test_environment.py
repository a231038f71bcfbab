"""Variables stand above relay.yaml."""

import pytest

from relay.policy.settings.model import Settings
from relay.runtime.settings.environment import variable_of
from relay.runtime.settings.loading import ConfigProblems, load
from relay.runtime.settings.messages import leaves, node_at


@pytest.mark.parametrize(
    ("variable", "value", "seen"),
    [
        ("RELAY__GATEWAY__LIMITS__BODY_BYTES", "4096", lambda found: found.gateway.limits.body_bytes == 4096),
        ("RELAY__ADMIN__PORT", "0", lambda found: found.admin.port == 0),
        ("RELAY__GATEWAY__LISTENERS__0__PORT", "9443", lambda found: found.gateway.listeners[0].port == 9443),
        ("RELAY__GATEWAY__LISTENERS__1__PORT", "9443", lambda found: found.gateway.listeners[1].port == 9443),
        ("RELAY__RELAY__ORG_CODE", "1234567890", lambda found: found.relay.org_code == "1234567890"),
        ("RELAY__CHECKING", "off", lambda found: found.checking == "off"),
        ("RELAY__RELOAD__WATCH_S", "1.5", lambda found: found.reload.watch_s == 1.5),
        ("RELAY__ACCESS_LOG__PATH", "a.log", lambda found: found.access_log.path.endswith("/a.log")),
        ("RELAY__GATEWAY__TLS__PRIVATE_KEY", "env:K", lambda found: found.gateway.tls.private_key == "env:K"),
    ],
)
def test_a_variable_sets_one_value(folder, variable, value, seen):
    assert seen(load(folder.path, {variable: value, "OTHER": "x", "relay__admin__port": "x"}).settings)


def test_a_variable_can_move_the_providers(folder):
    (folder.root / "providers").rename(folder.root / "banks")
    assert load(folder.path, {"RELAY__PROVIDERS": "banks"}).sources == (folder.root / "banks/bank.yaml",)


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("RELAY__ADMIN__PORT", "x", "RELAY__ADMIN__PORT: is not a whole number, a whole number from 0 to 65535"),
        ("RELAY__ADMIN__PORT", "", "RELAY__ADMIN__PORT: is not a whole number, a whole number from 0 to 65535"),
        ("RELAY__ADMIN__PROT", "1", "RELAY__ADMIN__PROT: is not known, perhaps RELAY__ADMIN__PORT is meant, "),
        ("RELAY__", "1", "RELAY__: is not known"),
        ("RELAY__ADMIN__PORT__X", "1", "RELAY__ADMIN__PORT__X: is not known, perhaps RELAY__ADMIN__PORT is meant, "),
        ("RELAY__ADMIN", "1", "RELAY__ADMIN: names a section or a list, the name of a single value"),
        ("RELAY__GATEWAY__LISTENERS", "[]", "RELAY__GATEWAY__LISTENERS: names a section or a list, "),
        (
            "RELAY__GATEWAY__LISTENERS__7__PORT",
            "1",
            "RELAY__GATEWAY__LISTENERS__7__PORT: has no place in relay.yaml, an index at most one past the list's end",
        ),
        ("RELAY__RELAY__NAME", "\udcff", "RELAY__RELAY__NAME: is not UTF-8, UTF-8 text"),
    ],
)
def test_a_bad_variable_is_a_problem_of_the_environment(folder, variable, value, line):
    with pytest.raises(ConfigProblems) as caught:
        load(folder.path, {variable: value})
    (found,) = caught.value.problems
    assert str(found).startswith(f"environment: {line}")


def test_a_variable_below_a_broken_section_does_not_hide_the_break(folder):
    folder.put("relay.yaml", "admin", 5)
    with pytest.raises(ConfigProblems) as caught:
        load(folder.path, {"RELAY__ADMIN__PORT": "1"})
    assert {problem.key for problem in caught.value.problems} == {"admin", "RELAY__ADMIN__PORT"}


def test_every_single_value_has_a_variable(folder):
    places = {variable_of(place): node_at(Settings, place) for place in leaves(Settings)}
    singles = {name: "x" for name, node in places.items() if node.get("type") != "array"}
    assert len(singles) > 40
    with pytest.raises(ConfigProblems) as caught:
        load(folder.path, singles)
    assert not [str(problem) for problem in caught.value.problems if "is not known" in problem.wrong]
