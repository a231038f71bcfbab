"""Connections are counted in all and by address."""

import ipaddress

import pytest

from relay.endpoint.connections.limits import ConnectionCounts, ConnectionLimits, Exceeded, Place
from relay.policy.settings.scalars import Rate

FAST = Rate(per_second=1000, burst=1000)
PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


def counts(connections=5, per_address=2, rate=FAST, proxies=()):
    return ConnectionCounts(ConnectionLimits(connections, per_address, rate, proxies))


def taken(counted, *addresses, now=0.0):
    """What each address gets: a reason, or "open"."""
    places = [counted.take(address, now) for address in addresses]
    return ["open" if isinstance(place, Place) else place for place in places]


@pytest.mark.parametrize(
    ("addresses", "last"),
    [
        (["192.0.2.1"] * 2, "open"),
        (["192.0.2.1"] * 3, Exceeded.CONNECTIONS_PER_ADDRESS),
        (["192.0.2.1", "192.0.2.1", "192.0.2.2"], "open"),
        (["2001:db8::1", "2001:db8::2", "2001:db8::3"], Exceeded.CONNECTIONS_PER_ADDRESS),
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"], "open"),
        (["10.0.0.7"] * 5, "open"),
        (["10.0.0.7"] * 6, Exceeded.CONNECTIONS),
        ([""] * 5, "open"),
        ([""] * 6, Exceeded.CONNECTIONS),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"], Exceeded.CONNECTIONS),
    ],
)
def test_what_is_beyond_a_limit_is_named(addresses, last):
    *others, end = taken(counts(proxies=PROXIES), *addresses)
    assert set(others) == {"open"}
    assert end == last


def test_a_place_given_back_is_free_again_and_once_only():
    counted = counts(connections=2)
    first = counted.take("192.0.2.1", 0.0)
    assert taken(counted, "192.0.2.1", "192.0.2.2") == ["open", Exceeded.CONNECTIONS]
    first.give_back()
    first.give_back()
    assert counted.open == 1
    assert taken(counted, "192.0.2.1", "192.0.2.1") == ["open", Exceeded.CONNECTIONS]


def test_new_connections_of_one_address_have_a_rate():
    counted = counts(connections=99, per_address=99, rate=Rate(per_second=1, burst=2))
    assert taken(counted, *["192.0.2.1"] * 3) == ["open", "open", Exceeded.NEW_CONNECTIONS]
    assert taken(counted, "192.0.2.2") == ["open"]
    assert taken(counted, *["192.0.2.1"] * 2, now=1.0) == ["open", Exceeded.NEW_CONNECTIONS]


def test_refused_connections_are_not_counted():
    counted = counts(connections=1)
    taken(counted, *["192.0.2.1"] * 9)
    assert counted.open == 1
