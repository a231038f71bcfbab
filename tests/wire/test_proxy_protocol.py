import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.proxy_protocol import FIXED_BYTES, NoProxyHeader, header_length, parse_source

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PROXY, LOCAL = 0x21, 0x20
TCP4, TCP6, UDP4, UNIX, UNSPECIFIED = 0x11, 0x21, 0x12, 0x31, 0x00
TLV = b"\x03\x00\x04\x01\x02\x03\x04"


def header(rest, command=PROXY, family=TCP4, signature=SIGNATURE, length=None):
    return signature + bytes([command, family]) + struct.pack("!H", len(rest) if length is None else length) + rest


def addresses(source, destination):
    packed = [ipaddress.ip_address(text).packed for text in (source, destination)]
    return b"".join(packed) + struct.pack("!HH", 40000, 8443)


V4, V6 = addresses("192.0.2.7", "198.51.100.1"), addresses("2001:db8::7", "2001:db8::1")
LARGEST = V4 + b"\x04" + struct.pack("!H", 521) + b"x" * 521


def read(data):
    length = header_length(data[:FIXED_BYTES])
    assert len(data) == FIXED_BYTES + length
    return parse_source(data)


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (header(V4), "192.0.2.7"),
        (header(V4 + TLV), "192.0.2.7"),
        (header(LARGEST), "192.0.2.7"),
        (header(V6, family=TCP6), "2001:db8::7"),
        (header(V6 + TLV * 9, family=TCP6), "2001:db8::7"),
        (header(addresses("::ffff:192.0.2.7", "::1"), family=TCP6), "192.0.2.7"),
        (header(b"", LOCAL, UNSPECIFIED), ""),
        (header(V4, LOCAL), ""),
    ],
)
def test_a_header_has_the_address_in_the_directorys_form(data, source):
    assert read(data) == source


@pytest.mark.parametrize(
    "data",
    [
        header(V4, 0x11),  # version 1
        header(V4, 0x31),
        header(V4, 0x22),  # an unknown command
        header(V4, family=UNSPECIFIED),
        header(b"/a" * 108, family=UNIX),
        header(V4[:-1]),
        header(b""),
        header(V4, family=TCP6),
        header(V6[:-1], family=TCP6),
        header(V4, signature=b"\r\n\r\n\0\r\nQUIT\r"),
        header(LARGEST + b"x"),
        header(b"", length=65535),
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 8443\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01" + b"\0" * 40,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_anything_else_is_refused(data):
    with pytest.raises(NoProxyHeader):
        read(data)


@given(st.binary(min_size=4, max_size=60))
def test_any_bytes_are_an_address_or_refused(rest):
    data = (SIGNATURE + rest[:2] + struct.pack("!H", len(rest) - 4) + rest[4:]).ljust(FIXED_BYTES, b"\0")
    try:
        source = read(data)
    except NoProxyHeader:
        return
    assert source == "" or ipaddress.ip_address(source)
