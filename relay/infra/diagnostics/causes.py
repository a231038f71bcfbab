"""Causes of failed connections: one short word for each exception of asyncio, ssl and aiohttp."""

import errno
import socket
import ssl
from typing import Final

import aiohttp

from relay.wire.tls_records import RecordsExceeded

_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})

_CERTIFICATE: Final = {9: "tls_not_yet_valid", 10: "tls_expired", 62: "tls_hostname", 64: "tls_hostname"}
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH."""

_KINDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (EOFError, "reset"),
    (aiohttp.ServerDisconnectedError, "reset"),
    (aiohttp.ClientPayloadError, "reset"),
    (socket.gaierror, "dns"),
    (UnicodeError, "dns"),  # a host that can be no name at all (IDNA)
    (TimeoutError, "time_out"),
    (FileNotFoundError, "no_socket"),
)

_MOST: Final = 8
"""Exceptions of a chain that are looked at."""


def cause_of(error: BaseException) -> str:
    """Returns the cause of a failed connection: `refused`, `reset`, `dns`, `time_out`, `unreachable`, `tls_...`.

    Causes of TLS: `tls_untrusted`, `tls_hostname`, `tls_expired`, `tls_not_yet_valid` (the peer's certificate),
    `tls_refused` (the peer does not take ours), `tls_protocol`, `tls_records` (a flood of records
    without data). Others: `no_socket`, `no_descriptors`, `error`.
    """
    for each in _chain(error):
        cause = _cause(each)
        if cause:
            return cause
    return "error"


def _chain(error: BaseException) -> list[BaseException]:
    """The exception, and those that it wraps: aiohttp keeps them in attributes of its own."""
    chain: list[BaseException] = []
    current: object = error
    while isinstance(current, BaseException) and current not in chain and len(chain) < _MOST:
        chain.append(current)
        inner = (getattr(current, "certificate_error", None), getattr(current, "os_error", None), current.__cause__)
        current = next((one for one in inner if isinstance(one, BaseException)), None)
    return chain[::-1]


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, "tls_untrusted")
    if isinstance(error, RecordsExceeded):
        return "tls_records"
    if isinstance(error, ssl.SSLError):
        return "tls_refused" if "ALERT" in (error.reason or "") else "tls_protocol"
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return "unreachable"
    if isinstance(error, OSError) and error.errno in _DESCRIPTORS:
        return "no_descriptors"
    return next((cause for kind, cause in _KINDS if isinstance(error, kind)), "")
