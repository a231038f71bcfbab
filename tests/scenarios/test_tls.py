"""The door: who gets in is decided by TLS alone, before a byte of HTTP."""

import asyncio
import contextlib
import socket
import ssl

import pytest
from stage.caller import Line, client_context
from stage.waiting import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


def knock(port, context, session=None):
    """Shake hands and wait for what comes: (whether the session was resumed, the session, the alert's name)."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as raw:
        try:
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as line:
                line.settimeout(0.3)
                try:
                    assert line.recv(1) == b"", "nobody asked, and yet there is an answer"
                except TimeoutError:
                    return line.session_reused, line.session, ""
        except ssl.SSLError as error:
            return False, None, error.reason
    return False, None, "closed without a word"


async def knocked(town, pair=None, **more):
    context = client_context(town.certificates.ca, pair, **more)
    _, _, alert = await asyncio.to_thread(knock, town.process.ports[0], context)
    return alert


async def test_who_shows_a_trusted_certificate_gets_in(town):
    assert await knocked(town, town.pair_of("ZOPA000001")) == ""


async def test_who_shows_no_certificate_gets_an_alert_and_no_http(town):
    assert await knocked(town) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert town.exchanges == []


async def test_a_foreign_ca_is_not_trusted(town):
    assert await knocked(town, town.certificates.foreign_operator) == "TLSV1_ALERT_UNKNOWN_CA"


async def test_an_expired_certificate_is_refused(town):
    assert await knocked(town, town.certificates.expired_operator) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"


async def test_a_certificate_of_tomorrow_is_refused(town):
    assert await knocked(town, town.certificates.future_operator) == "SSLV3_ALERT_BAD_CERTIFICATE"


async def test_a_certificate_for_servers_only_is_refused(town):
    assert await knocked(town, town.certificates.providers["bank"]) == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_1_2_is_refused(town):
    alert = await knocked(town, town.pair_of("ZOPA000001"), version=ssl.TLSVersion.TLSv1_2)
    assert alert == "TLSV1_ALERT_PROTOCOL_VERSION"


async def test_there_are_no_tickets_so_no_session_comes_back(town):
    context = client_context(town.certificates.ca, town.pair_of("ZOPA000001"))

    async def knock_again(*session):
        for _ in range(5):  # a machine that stands still for two seconds lets a handshake's time run out
            knocked = await asyncio.to_thread(knock, town.process.ports[0], context, *session)
            if knocked[2] != "closed without a word":
                break
        return knocked

    _, session, alert = await knock_again()
    assert alert == ""
    assert not session.has_ticket
    resumed, _, alert = await knock_again(session)
    assert (resumed, alert) == (False, "")


async def test_http_1_1_is_agreed_on_and_nothing_else(town):
    context = client_context(town.certificates.ca, town.pair_of("ZOPA000001"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with await Line.open(town.process.ports[0], context) as line:
        assert line.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_plain_http_at_the_door_gets_nothing(town):
    async with await Line.open(town.process.ports[0], None) as line:
        line.send(town.get())
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):  # a reset says as little
                assert not (await line.reader.read()).startswith(b"HTTP")
    assert town.exchanges == []


async def test_who_is_turned_away_leaves_the_others_alone(town):
    async with await town.line() as line:
        await knocked(town, town.certificates.foreign_operator)
        assert (await line.ask(town.get())).status == 200
