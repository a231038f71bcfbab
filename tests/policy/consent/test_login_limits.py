import pytest

from relay.policy.consent.login_limits import (
    ADDRESS_RATE,
    LOGIN_ID_RATE,
    KeyedRateLimiter,
    find_customer_address,
    get_customer_network,
)

NOW = 1000.0
PROXIES = ("10.0.0.0/8", "2001:db8:1::/48")


def count_attempts(limits, key, now):
    """Make attempts at one time until one is refused; return how many were allowed."""
    count = 0
    while not limits.get_wait_s(key, now):
        limits.take(key, now)
        count += 1
    return count


@pytest.mark.parametrize(("rate", "burst", "each_s"), [(ADDRESS_RATE, 30, 30), (LOGIN_ID_RATE, 10, 300)])
def test_attempts_are_limited_to_a_burst_and_a_rate(rate, burst, each_s):
    limits = KeyedRateLimiter(rate)
    assert count_attempts(limits, b"a", NOW) == burst
    assert limits.get_wait_s(b"a", NOW) == pytest.approx(each_s, abs=0.1)
    assert count_attempts(limits, b"a", NOW + each_s) == 1
    assert count_attempts(limits, b"b", NOW) == burst


def test_attempts_given_back_do_not_count():
    limits = KeyedRateLimiter(LOGIN_ID_RATE)
    for _ in range(100):
        assert not limits.get_wait_s(b"a", NOW)
        limits.take(b"a", NOW)
        limits.give_back(b"a")
    limits.give_back(b"never taken")
    assert count_attempts(limits, b"a", NOW) == 10


def test_the_number_of_keys_is_bounded_and_the_worst_stays():
    limits = KeyedRateLimiter(LOGIN_ID_RATE, max_keys=100)
    count_attempts(limits, b"worst", NOW)
    for number in range(1000):
        limits.take(b"%d" % number, NOW)
        assert len(limits) <= 100
    assert limits.get_wait_s(b"worst", NOW) > 0


def test_keys_without_recent_attempts_are_evicted_first():
    limits = KeyedRateLimiter(LOGIN_ID_RATE, max_keys=3)
    for key in (b"a", b"b"):
        limits.take(key, NOW)
    limits.take(b"c", NOW + 10_000)
    limits.take(b"d", NOW + 10_000)
    assert len(limits) == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nothing", "nothing"),
    ],
)
def test_addresses_of_one_ipv6_network_share_a_key(address, network):
    assert get_customer_network(address) == network


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("203.0.113.7", "", (), "203.0.113.7"),
        ("203.0.113.7", "198.51.100.9", (), "203.0.113.7"),
        ("203.0.113.7", "198.51.100.9", PROXIES, "203.0.113.7"),
        ("10.0.0.1", "198.51.100.9", PROXIES, "198.51.100.9"),
        ("10.0.0.1", "192.0.2.1, 198.51.100.9", PROXIES, "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9, 10.9.9.9", PROXIES, "198.51.100.9"),
        ("2001:db8:1::5", "2001:db8:7::1", PROXIES, "2001:db8:7::1"),
        ("10.0.0.1", "", PROXIES, ""),
        ("10.0.0.1", "unknown", PROXIES, ""),
        ("10.0.0.1", "198.51.100.9, junk", PROXIES, ""),
        ("10.0.0.1", "10.0.0.2", PROXIES, ""),
        ("", "198.51.100.9", PROXIES, ""),
    ],
)
def test_a_trusted_proxy_names_the_customers_address(peer, forwarded, proxies, address):
    assert find_customer_address(peer, forwarded, proxies) == address
