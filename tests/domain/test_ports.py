"""What a port promises, and that it is nothing but a promise."""

import inspect

import pytest

from relay.domain import ports

PORTS = {
    name: found for name, found in vars(ports).items() if inspect.isclass(found) and found.__module__ == ports.__name__
}


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS.keys())
def test_a_port_is_a_shape_without_a_life_of_its_own(port):
    assert port._is_protocol
    with pytest.raises(TypeError):
        port()


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS.keys())
def test_every_duty_of_a_port_says_what_it_promises(port):
    duties = [duty for name, duty in vars(port).items() if inspect.isfunction(duty) and not name.startswith("_")]
    assert duties
    assert all(duty.__doc__ for duty in duties)


def test_only_the_ledger_is_awaited_by_a_call():
    duties = [(name, duty) for port in PORTS.values() for name, duty in vars(port).items()]
    assert [name for name, duty in duties if inspect.iscoroutinefunction(duty)] == ["fetch"]
