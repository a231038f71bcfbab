"""Causes of failed connections for each exception."""

import asyncio
import errno
import socket
import ssl
from types import SimpleNamespace

import aiohttp
import pytest

from relay.infra.diagnostics.causes import classify_error
from relay.wire.tls.errors import RecordsExceeded

KEY = SimpleNamespace(host="h", port=1, is_ssl=True, ssl=True)


def certificate_error(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def tls_error(reason):
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(), "refused"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (asyncio.IncompleteReadError(b"", 4), "reset"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns"),
        (UnicodeError("label empty or too long"), "dns"),
        (TimeoutError(), "time_out"),
        (OSError(errno.EHOSTUNREACH, "no route"), "unreachable"),
        (OSError(errno.EMFILE, "too many"), "no_descriptors"),
        (FileNotFoundError(errno.ENOENT, "no such file"), "no_socket"),
        (certificate_error(62), "tls_hostname"),
        (certificate_error(64), "tls_hostname"),
        (certificate_error(10), "tls_expired"),
        (certificate_error(9), "tls_not_yet_valid"),
        (certificate_error(20), "tls_untrusted"),
        (tls_error("WRONG_VERSION_NUMBER"), "tls_protocol"),
        (RecordsExceeded("too many TLS records without data"), "tls_records"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "tls_refused"),
        (aiohttp.ClientConnectorCertificateError(KEY, certificate_error(10)), "tls_expired"),
        (aiohttp.ClientConnectorSSLError(KEY, tls_error("WRONG_VERSION_NUMBER")), "tls_protocol"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, "x")), "dns"),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "x")), "refused"),
        (aiohttp.ServerDisconnectedError(), "reset"),
        (aiohttp.ServerTimeoutError(), "time_out"),
        (OSError("Multiple exceptions: [Errno 111] to ::1, [Errno 111] to 127.0.0.1"), "refused"),
        (OSError("Multiple exceptions: [Errno 101] to ::1, [Errno 111] to 127.0.0.1"), "refused"),
        (OSError("Multiple exceptions: [Errno 101] to ::1, [Errno 113] to 127.0.0.1"), "unreachable"),
        (OSError("something else"), "error"),
        (ValueError("something else"), "error"),
    ],
)
def test_each_exception_has_its_cause(error, cause):
    assert classify_error(error) == cause


def test_the_cause_of_a_wrapped_exception_is_found():
    wrapping = RuntimeError("no connection")
    wrapping.__cause__ = ConnectionRefusedError()
    assert classify_error(wrapping) == "refused"


def test_exceptions_that_wrap_each_other_terminate():
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    assert classify_error(first) == "error"
