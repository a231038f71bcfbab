"""The portal's registry: callers, changes, hidden secrets."""

import inspect

import pytest
from typing_extensions import is_protocol

from relay.domain import registry as registry_module
from relay.domain.registry import (
    Organisation,
    OrgType,
    RegisteredService,
    RegistryChanges,
    RegistryReader,
    RegistryStore,
)


@pytest.mark.parametrize(
    ("org_type", "is_receiver", "calls"),
    [
        ("01", False, False),
        ("01", True, True),  # a provider that receives, too
        ("02", False, False),
        ("02", True, True),
        ("03", False, True),
        ("03", True, True),
        ("04", False, False),
        ("05", False, False),
        ("06", False, False),
        ("07", False, False),
        ("99", False, False),
        ("99", True, True),
    ],
)
def test_operators_and_receivers_may_call(org_type, is_receiver, calls):
    assert Organisation("ZOPA000001", OrgType(org_type), "one", is_receiver=is_receiver).may_call is calls


@pytest.mark.parametrize("org_type", ["00", "08", "3", "", "003"])
def test_an_unknown_type_is_rejected(org_type):
    with pytest.raises(ValueError, match="is not a valid OrgType"):
        OrgType(org_type)


def test_the_repr_of_a_service_hides_its_secret():
    text = repr(RegisteredService("one1", "ZOPA000001", "one", "$scrypt$Zq7marker", secret_mark=b"Zq7marker"))
    assert "Zq7marker" not in text
    assert "one1" in text


@pytest.mark.parametrize(
    ("organisations", "services", "changes"),
    [
        ({}, {}, False),
        ({"ZOPA000001": None}, {}, True),
        ({}, {"one1": None}, True),
        ({"ZOPA000001": Organisation("ZOPA000001", OrgType.OPERATOR, "one")}, {}, True),
    ],
)
def test_only_a_sync_with_changes_is_true(organisations, services, changes):
    assert bool(RegistryChanges(organisations, services, "20260705000000", "20260705000000")) is changes


@pytest.mark.parametrize("port", [RegistryReader, RegistryStore])
def test_ports_are_protocols_with_documented_coroutines(port):
    methods = [method for name, method in vars(port).items() if inspect.isfunction(method) and not name.startswith("_")]
    assert is_protocol(port)
    assert methods
    assert all(method.__doc__ and inspect.iscoroutinefunction(method) for method in methods)


def test_every_class_has_a_docstring():
    classes = [
        value
        for value in vars(registry_module).values()
        if inspect.isclass(value) and value.__module__ == registry_module.__name__
    ]
    assert classes
    assert all(vars(value).get("__doc__") for value in classes)
