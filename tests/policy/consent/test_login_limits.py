import pytest

from relay.policy.consent.login_limits import find_customer_address

PROXIES = ("10.0.0.0/8", "2001:db8:1::/48")


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
