"""Behind a load balancer the address in the PROXY header must be registered (40102). Others are rejected."""

import asyncio
import ipaddress
import ssl
import struct

import pytest
import pytest_asyncio
from fixtures.caller import Connection
from fixtures.gateway_environment import BANK, GatewayEnvironment
from fixtures.waiting import TIMEOUT_S
from malformed_relay import Recorder

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PLAIN, BALANCED, LEASED = range(3)
BALANCER = "127.0.0.9"
"""The balancer's own address. No operator of these tests has registered it."""


class SeparateAddresses(GatewayEnvironment):
    """Operators share no address. On a leased line only the address identifies them."""

    def write_file(self, name, values):
        if name == "directory.yaml":
            values["operators"][1]["addresses"] = ["127.0.0.2/32"]
        super().write_file(name, values)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(tmp_path_factory, certificates):
    def listener(**more):
        return {"address": "127.0.0.1", "port": 0} | more

    def proxied():
        return {"enabled": True, "trusted": [f"{BALANCER}/32"]}

    leased = listener(proxy_protocol=proxied(), tls=False, client_certificate=False)
    listeners = [listener(), listener(proxy_protocol=proxied()), leased]
    times = {"handshake_s": 0.4, "head_s": 1, "body_s": 1, "idle_s": 30}
    gateway = {"listeners": listeners, "timeouts": times}
    env = SeparateAddresses(tmp_path_factory.mktemp("env"), certificates, [Recorder()], gateway=gateway)
    await env.open()
    yield env
    await env.close()


def build_header(source="127.0.0.1", tlvs=b"", command=0x21, family=None):
    """Builds a PROXY v2 header for `source`."""
    address = ipaddress.ip_address(source)
    rest = address.packed + ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1").packed
    rest += struct.pack("!HH", 40000, 8443) + tlvs
    family = {4: 0x11, 6: 0x21}[address.version] if family is None else family
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(rest)) + rest


class SegmentedCaller:
    """Decides which bytes share a segment: PROXY header, TLS handshake messages, requests."""

    def __init__(self, connection, context):
        self.connection = connection
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    async def _receive(self):
        data = await self.connection.reader.read(65536)
        if not data:
            raise ConnectionResetError
        self._in.write(data)

    async def call(self, announced, request):
        """Sends header and ClientHello in one segment, Finished and request in another. Returns the answer."""
        before = announced
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.connection.send(before + self._out.read())
                    before = b""
                    await self._receive()
            self._tls.write(request)
            self.connection.send(self._out.read())
            answer = b""
            while b"}" not in answer:
                await self._receive()
                answer += self._read()
            return answer

    def _read(self):
        try:
            return self._tls.read(65536)
        except ssl.SSLWantReadError:
            return b""


async def call(env, announced, request, *, listener=BALANCED, address=BALANCER):
    async with await Connection.open(env.process.ports[listener], None, address) as connection:
        return await SegmentedCaller(connection, env.context(env.certificates.operators[0])).call(announced, request)


def get_status(answer):
    return int(answer[9:12])


@pytest.mark.parametrize(
    "announced",
    [
        build_header(),
        build_header("::ffff:127.0.0.1"),
        build_header(tlvs=b"\x01\x00\x02h2" + b"\x04\x00\x03\0\0\0"),
        build_header(tlvs=b"\xea\x00\x10" + b"vpce-0123456789a"),
        build_header(tlvs=b"\x04" + struct.pack("!H", 521) + b"\0" * 521),
    ],
    ids=["plain", "mapped", "tlvs", "vendor", "longest"],
)
async def test_a_call_from_the_announced_address_is_answered(env, announced):
    answer = await call(env, announced, env.build_get())
    assert get_status(answer) == 200
    assert env.institutions[BANK].received.count(b" HTTP/1.1\r\n") == 1


@pytest.mark.parametrize("source", ["192.0.2.7", "2001:db8::7", "127.0.0.2"])
async def test_an_unregistered_announced_address_is_refused(env, source):
    answer = await call(env, build_header(source), env.build_get())
    assert get_status(answer) == 401
    assert b'"rsp_code":"40102"' in answer
    assert env.institutions[BANK].received == b""


async def test_a_local_header_means_the_balancers_own_address(env):
    answer = await call(env, SIGNATURE + b"\x20\0\0\0", env.build_get())
    assert b'"rsp_code":"40102"' in answer


FORWARDED = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"]


@pytest.mark.parametrize("name", FORWARDED)
async def test_forwarding_headers_are_ignored(env, name):
    value = "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1"
    claimed = env.build_get().replace(b"\r\n", f"\r\n{name}: {value}\r\n".encode(), 1)
    assert b'"rsp_code":"40102"' in await call(env, build_header("192.0.2.7"), claimed)
    assert b'"rsp_code":"40102"' in await call(env, b"", claimed, listener=PLAIN)
    assert get_status(await call(env, b"", claimed, listener=PLAIN, address="127.0.0.1")) == 200
    assert name.lower().encode() not in env.institutions[BANK].received.lower()


INVALID_HEADERS = {
    "none": b"",
    "version_1": b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 8443\r\n",
    "another_signature": build_header().replace(b"QUIT", b"QUIP"),
    "version_3": build_header(command=0x31),
    "unknown_command": build_header(command=0x22),
    "unknown_family": build_header(family=0x00),
    "unix": build_header(family=0x31),
    "addresses_cut": SIGNATURE + b"\x21\x11\0\x08" + b"\x7f\0\0\x01" * 2,
    "ipv4_said_to_be_ipv6": build_header(family=0x21),
    "longer_than_any": SIGNATURE + b"\x21\x11\xff\xff" + b"\0" * 65535,
}


@pytest.mark.parametrize("announced", INVALID_HEADERS.values(), ids=INVALID_HEADERS)
async def test_a_connection_without_a_valid_header_is_closed(env, announced):
    with pytest.raises(ConnectionError):
        await call(env, announced, env.build_get())
    assert env.relay.connection_registry.rejected["no_proxy_header"] >= 1
    assert env.institutions[BANK].received == b""


async def test_a_header_from_an_untrusted_address_is_rejected(env):
    with pytest.raises(ConnectionError):
        await call(env, build_header(), env.build_get(), address="127.0.0.1")


async def test_a_header_at_a_listener_without_proxy_protocol_fails(env):
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await call(env, build_header(), env.build_get(), listener=PLAIN, address="127.0.0.1")


@pytest.mark.parametrize(
    "sent", [b"", build_header()[:10], build_header()[:20]], ids=["nothing", "half_its_begin", "half"]
)
@pytest.mark.parametrize("listener", [BALANCED, LEASED])
async def test_a_missing_header_closes_after_handshake_s(env, sent, listener):
    started = asyncio.get_running_loop().time()
    async with await Connection.open(env.process.ports[listener], None, BALANCER) as connection:
        connection.send(sent)
        assert await connection.is_closed()
    assert 0.3 < asyncio.get_running_loop().time() - started < 3


async def test_a_missing_handshake_after_a_header_is_closed(env):
    async with await Connection.open(env.process.ports[BALANCED], None, BALANCER) as connection:
        connection.send(build_header())
        assert await connection.is_closed()


@pytest.mark.parametrize(("source", "answered"), [("127.0.0.1", 200), ("192.0.2.7", 401)])
async def test_on_a_leased_line_the_announced_address_identifies_operators(env, source, answered):
    async with await Connection.open(env.process.ports[LEASED], None, BALANCER) as connection:
        assert (await connection.call(build_header(source) + env.build_get())).status == answered
