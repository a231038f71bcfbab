"""Mutual TLS decides which callers connect, before any HTTP."""

import asyncio
import contextlib
import socket
import ssl

import pytest
from fixtures.caller import Connection, client_context
from fixtures.waiting import TIMEOUT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


def call(port, context, request, session=None):
    """Makes a call on a new connection. Returns (whether its session was resumed, the session, the answer's begin)."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as connection,
    ):
        connection.sendall(request)
        return connection.session_reused, connection.session, connection.recv(8)


def wait_for_alert(port, context):
    """Makes a TLS handshake that is refused. Returns the name of the alert."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as raw:
        try:
            with context.wrap_socket(raw, server_hostname="localhost") as connection:
                assert connection.recv(1) == b"", "data without a request"
        except ssl.SSLError as error:
            return error.reason
    return "closed without an alert"


async def get_alert(env, pair=None, **more):
    context = client_context(env.certificates.ca, pair, **more)
    return await asyncio.to_thread(wait_for_alert, env.process.ports[0], context)


async def test_a_trusted_certificate_is_accepted(env):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200


async def test_a_missing_certificate_gets_a_tls_alert(env):
    assert await get_alert(env) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert env.exchanges == []


async def test_a_foreign_ca_is_not_trusted(env):
    assert await get_alert(env, env.certificates.foreign_operator) == "TLSV1_ALERT_UNKNOWN_CA"


async def test_an_expired_certificate_is_refused(env):
    assert await get_alert(env, env.certificates.expired_operator) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"


async def test_a_not_yet_valid_certificate_is_refused(env):
    assert await get_alert(env, env.certificates.future_operator) == "SSLV3_ALERT_BAD_CERTIFICATE"


async def test_a_certificate_for_servers_only_is_refused(env):
    assert await get_alert(env, env.certificates.providers["bank"]) == "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_1_2_is_refused(env):
    alert = await get_alert(env, env.get_pair("ZOPA000001"), version=ssl.TLSVersion.TLSv1_2)
    assert alert == "TLSV1_ALERT_PROTOCOL_VERSION"


async def test_tls_sessions_are_not_resumed(env):
    context = client_context(env.certificates.ca, env.get_pair("ZOPA000001"))

    async def call_again(*session):
        return await asyncio.to_thread(call, env.process.ports[0], context, env.build_get(), *session)

    _, session, answer = await call_again()
    assert (session.has_ticket, answer) == (False, b"HTTP/1.1")
    resumed, _, answer = await call_again(session)
    assert (resumed, answer) == (False, b"HTTP/1.1")


async def test_alpn_selects_http_1_1(env):
    context = client_context(env.certificates.ca, env.get_pair("ZOPA000001"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with await Connection.open(env.process.ports[0], context) as connection:
        assert connection.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_plain_http_on_a_tls_listener_gets_no_response(env):
    async with await Connection.open(env.process.ports[0], None) as connection:
        connection.send(env.build_get())
        async with asyncio.timeout(TIMEOUT_S):
            with contextlib.suppress(ConnectionError):  # a reset is no response either
                assert not (await connection.reader.read()).startswith(b"HTTP")
    assert env.exchanges == []


async def test_a_rejected_handshake_leaves_other_connections_open(env):
    async with await env.connect() as connection:
        assert (await connection.call(env.build_get())).status == 200
        await get_alert(env, env.certificates.foreign_operator)
        assert (await connection.call(env.build_get())).status == 200
