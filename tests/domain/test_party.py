"""Operators, services and peers."""

import dataclasses

import pytest

from relay.domain.party import Operator, Peer, Service

SERVICE = Service("client1", "내자산", "OPERATOR01")
OPERATOR = Operator("OPERATOR01", "사업자", "1234567890", ("203.0.113.0/24",), (SERVICE,))


@pytest.mark.parametrize("party", [Peer("1234567890", "203.0.113.7"), SERVICE, OPERATOR])
def test_parties_are_immutable(party):
    first = dataclasses.fields(party)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(party, first, "another value")


def test_a_leased_line_is_not_a_certificate_without_serial():
    assert Peer(None, "10.0.0.1") != Peer("", "10.0.0.1")


def test_peers_are_the_same_when_certificate_and_address_are():
    assert Peer("1", "10.0.0.1") == Peer("1", "10.0.0.1")
    assert len({Peer("1", "10.0.0.1"), Peer("1", "10.0.0.1"), Peer("1", "10.0.0.2")}) == 2


def test_a_service_has_no_callback_until_it_registers_one():
    assert SERVICE.callbacks == SERVICE.app_schemes == ()
