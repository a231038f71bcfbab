"""The portal's registry: who calls, what changes, what is never shown."""

import inspect

import pytest

from relay.domain import registry as room
from relay.domain.registry import (
    Organisation,
    OrgType,
    RegisteredService,
    RegistryBook,
    RegistryChanges,
    RegistrySource,
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
def test_operators_and_receivers_call(org_type, is_receiver, calls):
    assert Organisation("ZOPA000001", OrgType(org_type), "one", is_receiver=is_receiver).calls is calls


@pytest.mark.parametrize("org_type", ["00", "08", "3", "", "003"])
def test_a_type_nobody_wrote_down_is_none(org_type):
    with pytest.raises(ValueError, match="is not a valid OrgType"):
        OrgType(org_type)


def test_a_services_secret_is_not_shown_in_any_form():
    told = repr(RegisteredService("one1", "ZOPA000001", "one", "$scrypt$Zq7marker", secret_mark=b"Zq7marker"))
    assert "Zq7marker" not in told
    assert "one1" in told


@pytest.mark.parametrize(
    ("organisations", "services", "changes"),
    [
        ({}, {}, False),
        ({"ZOPA000001": None}, {}, True),
        ({}, {"one1": None}, True),
        ({"ZOPA000001": Organisation("ZOPA000001", OrgType.OPERATOR, "one")}, {}, True),
    ],
)
def test_a_sync_that_brings_nothing_changes_nothing(organisations, services, changes):
    assert bool(RegistryChanges(organisations, services, "20260705000000", "20260705000000")) is changes


@pytest.mark.parametrize("port", [RegistrySource, RegistryBook])
def test_a_port_is_a_shape_whose_duties_all_say_what_they_promise(port):
    duties = [duty for name, duty in vars(port).items() if inspect.isfunction(duty) and not name.startswith("_")]
    assert port._is_protocol
    assert duties
    assert all(duty.__doc__ and inspect.iscoroutinefunction(duty) for duty in duties)


def test_everything_here_says_what_it_is():
    made = [thing for thing in vars(room).values() if inspect.isclass(thing) and thing.__module__ == room.__name__]
    assert made
    assert all(vars(thing).get("__doc__") for thing in made)
