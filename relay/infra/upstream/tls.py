"""TLS: contexts that follow their files, and the identity in a peer's certificate (규격 3.1)."""

import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509

from relay.domain.ids import normal_serial
from relay.infra.files.regular import awaiting, expect_regular, read_file
from relay.wire.alert import keep_alert
from relay.wire.tls_records import CALLER_HANDSHAKE_BYTES, BoundedTls

_NO_RESUMPTION = ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
_NO_COMPRESSED_CERTIFICATES = 1 << 33 if ssl.OPENSSL_VERSION_INFO >= (3, 2) else 0
"""SSL_OP_NO_RX_CERTIFICATE_COMPRESSION, which Python has no name for: a few KB may hold a long chain (RFC 8879)."""


class TlsError(Exception):
    """Certificate files that cannot be used; says which and why."""


def server_context(certificate: str, key: str, client_ca: str | None) -> ssl.SSLContext:
    """A context for a listener: TLS 1.3 only, client certificate required when `client_ca` is given, no resumption.

    A resumed session would bring back a peer whose CA was withdrawn since, so tickets are off. Raises TlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Telling
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.options |= _NO_RESUMPTION | _NO_COMPRESSED_CERTIFICATES
    context.set_alpn_protocols(["http/1.1"])
    _load(context, certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_ca)
    return context


def client_context(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """A context toward a provider: its CA trusted and nothing else, its name checked, TLS 1.2 at least.

    Without a CA those of the system are trusted, as toward the portal.

    Small institutions still speak TLS 1.2 (규격 1.2 tolerates it as a stop-gap). Raises TlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslobject_class = BoundedTls
    context.options |= _NO_COMPRESSED_CERTIFICATES
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, ca)
    if certificate is not None and key is not None:
        _load(context, certificate, key)
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        for file in (certificate, key):
            expect_regular(file)
        with awaiting(certificate):
            context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise TlsError(f"{certificate} with its private key: {error}") from error


def expect_unexpired(certificate: str, now: datetime) -> None:
    """Raises TlsError when the certificate of a PEM file expired."""
    try:
        found = x509.load_pem_x509_certificate(read_file(certificate))
    except (OSError, ValueError) as error:
        raise TlsError(f"{certificate}: {error}") from error
    if found.not_valid_after_utc < now:
        raise TlsError(f"{certificate}: the certificate expired {found.not_valid_after_utc:%Y-%m-%d}")


def _no_passphrase() -> str:
    """Never ask a person at the terminal."""
    raise ValueError("the private key is encrypted; give it without a passphrase by reference")


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        expect_regular(ca)
        with awaiting(ca):
            context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        raise TlsError(f"{ca}: {error}") from error


class _Telling(BoundedTls):
    """A TLS connection whose failed handshake keeps the alert it would have sent.

    The event loops cut a failed handshake before its alert is written, so the caller would never learn that, say, its
    certificate expired.
    """

    handshake_bytes = CALLER_HANDSHAKE_BYTES

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            keep_alert(self._outgoing.read())
            raise


class FollowedContext:
    """A listening context that can be replaced while it listens: each handshake takes what is `current`.

    Leaf and trusted CAs both follow; adding to a live context could never take a CA away. A callback by server name
    would do the same, but Python writes a traceback for each name that is not ASCII.
    """

    def __init__(self, current: ssl.SSLContext) -> None:
        self.current = current

    def listening(self) -> ssl.SSLContext:
        """The context of the next handshake."""
        return self.current


def serial_of(peer_certificate: Mapping[str, Any] | None) -> str:
    """Normal form of the subject's SERIALNUMBER (OID 2.5.4.5); "" when there is none, or more than one."""
    subject = (peer_certificate or {}).get("subject", ())
    found = [value for name in subject for key, value in name if key == "serialNumber"]
    return normal_serial(found[0]) if len(found) == 1 else ""
