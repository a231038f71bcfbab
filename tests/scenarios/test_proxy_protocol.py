"""Behind a load balancer: whom its PROXY header announces is who is judged (40102), and nobody else is let in."""

import asyncio
import ipaddress
import ssl
import struct

import pytest
import pytest_asyncio
from malformed_relay import Recorder
from stage.caller import Line
from stage.town import BANK, Town
from stage.waiting import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PLAIN, BALANCED, LEASED = range(3)
BALANCER = "127.0.0.9"
"""Where the balancer calls from: an address that no operator of these scenes has registered."""


class Apart(Town):
    """A town whose operators share no address: on a leased line nothing else tells them apart."""

    def put(self, name, values):
        if name == "directory.yaml":
            values["operators"][1]["addresses"] = ["127.0.0.2/32"]
        super().put(name, values)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(tmp_path_factory, certificates):
    def listener(**more):
        return {"address": "127.0.0.1", "port": 0} | more

    def proxied():
        return {"enabled": True, "trusted": [f"{BALANCER}/32"]}

    leased = listener(proxy_protocol=proxied(), tls=False, client_certificate=False)
    listeners = [listener(), listener(proxy_protocol=proxied()), leased]
    times = {"handshake_s": 0.4, "head_s": 1, "body_s": 1, "idle_s": 30}
    gateway = {"listeners": listeners, "timeouts": times}
    town = Apart(tmp_path_factory.mktemp("town"), certificates, [Recorder()], gateway=gateway)
    await town.open()
    yield town
    await town.close()


def header(source="127.0.0.1", tlvs=b"", command=0x21, family=None):
    """A PROXY v2 header that announces `source`."""
    address = ipaddress.ip_address(source)
    rest = address.packed + ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1").packed
    rest += struct.pack("!HH", 40000, 8443) + tlvs
    family = {4: 0x11, 6: 0x21}[address.version] if family is None else family
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(rest)) + rest


class Speaker:
    """A caller that decides which bytes travel together: PROXY header, flights of the handshake, requests."""

    def __init__(self, line, context):
        self.line = line
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    async def _flight(self):
        data = await self.line.reader.read(65536)
        if not data:
            raise ConnectionResetError
        self._in.write(data)

    async def ask(self, announced, request):
        """Header and ClientHello in one segment, Finished and request in another; the answer's bytes."""
        before = announced
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self.line.send(before + self._out.read())
                    before = b""
                    await self._flight()
            self._tls.write(request)
            self.line.send(self._out.read())
            found = b""
            while b"}" not in found:
                await self._flight()
                found += self._read()
            return found

    def _read(self):
        try:
            return self._tls.read(65536)
        except ssl.SSLWantReadError:
            return b""


async def asked(town, announced, request, *, listener=BALANCED, address=BALANCER):
    async with await Line.open(town.process.ports[listener], None, address) as line:
        return await Speaker(line, town.context(town.certificates.operators[0])).ask(announced, request)


def status(answer):
    return int(answer[9:12])


@pytest.mark.parametrize(
    "announced",
    [
        header(),
        header("::ffff:127.0.0.1"),
        header(tlvs=b"\x01\x00\x02h2" + b"\x04\x00\x03\0\0\0"),
        header(tlvs=b"\xea\x00\x10" + b"vpce-0123456789a"),
        header(tlvs=b"\x04" + struct.pack("!H", 521) + b"\0" * 521),
    ],
    ids=["plain", "mapped", "tlvs", "vendor", "longest"],
)
async def test_who_is_announced_is_let_in_and_the_request_may_come_with_the_end_of_the_handshake(town, announced):
    answer = await asked(town, announced, town.get())
    assert status(answer) == 200
    assert town.institutions[BANK].heard.count(b" HTTP/1.1\r\n") == 1


@pytest.mark.parametrize("source", ["192.0.2.7", "2001:db8::7", "127.0.0.2"])
async def test_an_announced_address_that_is_not_registered_is_refused_though_the_certificate_is(town, source):
    answer = await asked(town, header(source), town.get())
    assert status(answer) == 401
    assert b'"rsp_code":"40102"' in answer
    assert town.institutions[BANK].heard == b""


async def test_the_balancers_own_address_is_judged_when_it_announces_nobody(town):
    answer = await asked(town, SIGNATURE + b"\x20\0\0\0", town.get())
    assert b'"rsp_code":"40102"' in answer


FORWARDED = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "True-Client-IP"]


@pytest.mark.parametrize("name", FORWARDED)
async def test_a_header_field_is_never_believed(town, name):
    value = "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1"
    claimed = town.get().replace(b"\r\n", f"\r\n{name}: {value}\r\n".encode(), 1)
    assert b'"rsp_code":"40102"' in await asked(town, header("192.0.2.7"), claimed)
    assert b'"rsp_code":"40102"' in await asked(town, b"", claimed, listener=PLAIN)
    assert status(await asked(town, b"", claimed, listener=PLAIN, address="127.0.0.1")) == 200
    assert name.lower().encode() not in town.institutions[BANK].heard.lower()


CUT = {
    "none": b"",
    "version_1": b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 8443\r\n",
    "another_signature": header().replace(b"QUIT", b"QUIP"),
    "version_3": header(command=0x31),
    "unknown_command": header(command=0x22),
    "unknown_family": header(family=0x00),
    "unix": header(family=0x31),
    "addresses_cut": SIGNATURE + b"\x21\x11\0\x08" + b"\x7f\0\0\x01" * 2,
    "ipv4_said_to_be_ipv6": header(family=0x21),
    "longer_than_any": SIGNATURE + b"\x21\x11\xff\xff" + b"\0" * 65535,
}


@pytest.mark.parametrize("announced", CUT.values(), ids=CUT)
async def test_who_announces_nobody_is_cut(town, announced):
    with pytest.raises(ConnectionError):
        await asked(town, announced, town.get())
    assert town.relay.connection_registry.rejected["no_proxy_header"] >= 1
    assert town.institutions[BANK].heard == b""


async def test_a_header_of_somebody_who_is_no_balancer_is_not_believed(town):
    with pytest.raises(ConnectionError):
        await asked(town, header(), town.get(), address="127.0.0.1")


async def test_a_header_at_a_door_that_asks_for_none_is_no_handshake(town):
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await asked(town, header(), town.get(), listener=PLAIN, address="127.0.0.1")


@pytest.mark.parametrize("sent", [b"", header()[:10], header()[:20]], ids=["nothing", "half_its_begin", "half"])
@pytest.mark.parametrize("listener", [BALANCED, LEASED])
async def test_a_header_that_does_not_come_is_waited_for_as_long_as_a_handshake(town, sent, listener):
    begun = asyncio.get_running_loop().time()
    async with await Line.open(town.process.ports[listener], None, BALANCER) as line:
        line.send(sent)
        assert await line.hung_up()
    assert 0.3 < asyncio.get_running_loop().time() - begun < 3


async def test_a_handshake_that_does_not_follow_its_header_is_given_up_too(town):
    async with await Line.open(town.process.ports[BALANCED], None, BALANCER) as line:
        line.send(header())
        assert await line.hung_up()


@pytest.mark.parametrize(("source", "answered"), [("127.0.0.1", 200), ("192.0.2.7", 401)])
async def test_on_a_leased_line_the_announced_address_alone_tells_who_calls(town, source, answered):
    async with await Line.open(town.process.ports[LEASED], None, BALANCER) as line:
        assert (await line.ask(header(source) + town.get())).status == answered
