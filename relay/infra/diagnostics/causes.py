"""Maps exceptions of asyncio, ssl and aiohttp to short causes of failed connections."""

import errno
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp

from relay.wire.tls.errors import RecordsExceeded

_UNREACHABLE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
_ERRNO_CAUSES: Final[Mapping[int | None, str]] = {
    **dict.fromkeys(_UNREACHABLE, "unreachable"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "no_descriptors"),
}

_CERTIFICATE: Final = {9: "tls_not_yet_valid", 10: "tls_expired", 62: "tls_hostname", 64: "tls_hostname"}
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH."""

_KINDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (EOFError, "reset"),
    (aiohttp.ServerDisconnectedError, "reset"),
    (aiohttp.ClientPayloadError, "reset"),
    (socket.gaierror, "dns"),
    (UnicodeError, "dns"),  # not a host name (IDNA)
    (TimeoutError, "time_out"),
    (FileNotFoundError, "no_socket"),
)

_ERRNO: Final = re.compile(r"\[Errno (\d+)\]")
"""Error numbers in the message of an OSError that stands for the failures of several addresses."""

_MAX_CHAIN: Final = 8
"""Maximum number of chained exceptions that are checked."""


def classify_error(error: BaseException) -> str:
    """Returns the cause of a failed connection: `refused`, `reset`, `dns`, `time_out`, `unreachable`, `tls_...`.

    TLS causes: `tls_untrusted`, `tls_hostname`, `tls_expired`, `tls_not_yet_valid` (the peer's certificate),
    `tls_refused` (the peer rejects ours), `tls_protocol`, `tls_records` (too many records without data).
    Others: `no_socket`, `no_descriptors`, `error`.
    """
    for chained in _chain(error):
        cause = _find_cause(chained)
        if cause:
            return cause
    return "error"


def _chain(error: BaseException) -> list[BaseException]:
    """Returns the exception and those it wraps, innermost first. aiohttp keeps them in its own attributes."""
    chain: list[BaseException] = []
    current: object = error
    while isinstance(current, BaseException) and current not in chain and len(chain) < _MAX_CHAIN:
        chain.append(current)
        wrapped = (getattr(current, "certificate_error", None), getattr(current, "os_error", None), current.__cause__)
        current = next((inner for inner in wrapped if isinstance(inner, BaseException)), None)
    return chain[::-1]


def _find_cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, "tls_untrusted")
    if isinstance(error, RecordsExceeded):
        return "tls_records"
    if isinstance(error, ssl.SSLError):
        return "tls_refused" if "ALERT" in (error.reason or "") else "tls_protocol"
    if isinstance(error, OSError) and error.errno in _ERRNO_CAUSES:
        return _ERRNO_CAUSES[error.errno]
    known = next((cause for kind, cause in _KINDS if isinstance(error, kind)), "")
    if not known and isinstance(error, OSError) and error.errno is None:
        return _find_cause_in_message(str(error))
    return known


def _find_cause_in_message(message: str) -> str:
    """Returns the cause for several addresses. asyncio and aiohappyeyeballs keep only the texts of their failures.

    A host without IPv6 finds the IPv6 address unreachable: the cause of another address says more.
    """
    causes = [_find_cause(OSError(int(number), "")) for number in _ERRNO.findall(message)]
    return next((cause for cause in causes if cause != "unreachable"), "unreachable" if causes else "")
