import pytest
from mydata_sandbox.environment.relay_address import RelayAddress


@pytest.mark.parametrize(
    ("url", "host", "port", "listen"),
    [
        ("https://127.0.0.1:9443", "127.0.0.1", 9443, "127.0.0.1"),
        ("https://localhost:9443/", "localhost", 9443, "127.0.0.1"),
        ("https://[::1]:9443", "::1", 9443, "::1"),
        ("https://relay.example", "relay.example", 443, "0.0.0.0"),
        ("https://192.0.2.9:8443", "192.0.2.9", 8443, "0.0.0.0"),
    ],
)
def test_a_url_gives_host_port_and_listener(url, host, port, listen):
    relay = RelayAddress.parse(url)
    assert (relay.host, relay.port, relay.listen, relay.sandbox_address) == (host, port, listen, "127.0.0.1")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9443", "127.0.0.1:9443", "https://", "https://relay/v1", "https://relay:ten", "https://relay:0"],
)
def test_another_url_is_refused(url):
    with pytest.raises(ValueError, match=r"https|[Pp]ort"):
        RelayAddress.parse(url)


def test_the_sandbox_address_must_be_an_ip_address():
    with pytest.raises(ValueError, match="host7 is not an IP address"):
        RelayAddress.parse("https://127.0.0.1:9443", "host7")


def test_urls_of_the_relay_have_brackets_around_ipv6():
    relay = RelayAddress("::1", 9443)
    assert (relay.url, relay.build_url(9444)) == ("https://[::1]:9443", "https://[::1]:9444")


def test_addresses_are_those_beside_loopback():
    assert list(RelayAddress("192.0.2.9", 443, "192.0.2.7").iter_addresses()) == ["192.0.2.7", "192.0.2.9"]
    assert list(RelayAddress("localhost", 443).iter_addresses()) == []
