"""Tests of the ports: protocols whose methods are documented."""

import inspect

import pytest
from typing_extensions import is_protocol

from relay.domain import ports

PORTS = {
    name: port for name, port in vars(ports).items() if inspect.isclass(port) and port.__module__ == ports.__name__
}


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS.keys())
def test_a_port_is_a_protocol_without_instances(port):
    assert is_protocol(port)
    with pytest.raises(TypeError):
        port()


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS.keys())
def test_every_method_of_a_port_has_a_docstring(port):
    methods = [method for name, method in vars(port).items() if inspect.isfunction(method) and not name.startswith("_")]
    assert methods
    assert all(method.__doc__ for method in methods)


def test_a_call_awaits_only_its_turn_the_ledger_and_its_quotas():
    methods = [(name, method) for port in PORTS.values() for name, method in vars(port).items()]
    assert [name for name, method in methods if inspect.iscoroutinefunction(method)] == ["wait_turn", "fetch", "wait"]
