"""Connections are counted in total and by address."""

import ipaddress

import pytest

from relay.endpoint.connections.limits import ConnectionCounts, ConnectionLimits, ConnectionPermit, ExceededLimit
from relay.policy.settings.scalars import Rate

FAST = Rate(per_second=1000, burst=1000)
PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)


def counts(connections=5, per_address=2, rate=FAST, proxies=()):
    return ConnectionCounts(ConnectionLimits(connections, per_address, rate, proxies))


def acquire_all(counted, *addresses, now=0.0):
    """Returns for each address the exceeded limit, or "open"."""
    permits = [counted.acquire(address, now) for address in addresses]
    return ["open" if isinstance(permit, ConnectionPermit) else permit for permit in permits]


@pytest.mark.parametrize(
    ("addresses", "last"),
    [
        (["192.0.2.1"] * 2, "open"),
        (["192.0.2.1"] * 3, ExceededLimit.CONNECTIONS_PER_ADDRESS),
        (["192.0.2.1", "192.0.2.1", "192.0.2.2"], "open"),
        (["2001:db8::1", "2001:db8::2", "2001:db8::3"], ExceededLimit.CONNECTIONS_PER_ADDRESS),
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:1::3"], "open"),
        (["10.0.0.7"] * 5, "open"),
        (["10.0.0.7"] * 6, ExceededLimit.CONNECTIONS),
        ([""] * 5, "open"),
        ([""] * 6, ExceededLimit.CONNECTIONS),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"], ExceededLimit.CONNECTIONS),
    ],
)
def test_the_exceeded_limit_is_named(addresses, last):
    *others, end = acquire_all(counts(proxies=PROXIES), *addresses)
    assert set(others) == {"open"}
    assert end == last


def test_a_permit_is_released_only_once():
    counted = counts(connections=2)
    first = counted.acquire("192.0.2.1", 0.0)
    assert acquire_all(counted, "192.0.2.1", "192.0.2.2") == ["open", ExceededLimit.CONNECTIONS]
    first.release()
    first.release()
    assert counted.open == 1
    assert acquire_all(counted, "192.0.2.1", "192.0.2.1") == ["open", ExceededLimit.CONNECTIONS]


def test_new_connections_of_one_address_have_a_rate():
    counted = counts(connections=99, per_address=99, rate=Rate(per_second=1, burst=2))
    assert acquire_all(counted, *["192.0.2.1"] * 3) == ["open", "open", ExceededLimit.NEW_CONNECTIONS]
    assert acquire_all(counted, "192.0.2.2") == ["open"]
    assert acquire_all(counted, *["192.0.2.1"] * 2, now=1.0) == ["open", ExceededLimit.NEW_CONNECTIONS]


def test_refused_connections_are_not_counted():
    counted = counts(connections=1)
    acquire_all(counted, *["192.0.2.1"] * 9)
    assert counted.open == 1
