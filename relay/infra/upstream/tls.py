"""Builds TLS contexts and reads the identity in a peer's certificate (규격 3.1)."""

import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509

from relay.domain.ids import normalize_serial
from relay.infra.files.regular import awaiting, describe_read_error, read_file, require_regular_file
from relay.wire.tls.alert import keep_alert
from relay.wire.tls.bounded_tls import CALLER_HANDSHAKE_BYTES, BoundedTls

_NO_RESUMPTION = ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
_NO_COMPRESSED_CERTIFICATES = 1 << 33 if ssl.OPENSSL_VERSION_INFO >= (3, 2) else 0
"""SSL_OP_NO_RX_CERTIFICATE_COMPRESSION, which Python does not export: a few KB may hold a long chain (RFC 8879)."""

_HOLDS_NONE = "holds none; expected: a certificate, PEM"


class TlsError(Exception):
    """A certificate file is unusable. The text names the file and the reason."""


def build_server_context(certificate: str, key: str, client_ca: str | None) -> ssl.SSLContext:
    """Builds a listener's context: TLS 1.3 only, a client certificate if `client_ca` is given, no resumption.

    Tickets are off: a resumed session would admit a peer whose CA was removed meanwhile. Raises TlsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _AlertKeepingTls
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.options |= _NO_RESUMPTION | _NO_COMPRESSED_CERTIFICATES
    context.set_alpn_protocols(["http/1.1"])
    _load(context, certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_ca)
    return context


def build_client_context(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Builds a client context: only `ca` is trusted, the host name is checked, TLS 1.2 or later.

    Without `ca` the CAs of the system are trusted, as for the portal. Small institutions still use TLS 1.2 (규격 1.2
    tolerates it for a transition). Raises TlsError.
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
    pair = f"{certificate} with its private key"
    try:
        for file in (certificate, key):
            require_regular_file(file)
        with awaiting(certificate):
            context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        is_mismatch = error.reason == "KEY_VALUES_MISMATCH"
        wrong = "the key does not match the certificate" if is_mismatch else "one of them holds none"
        raise TlsError(f"{pair}: {wrong}; expected: a certificate and the key it was made for, PEM") from error
    except OSError as error:
        raise TlsError(f"{pair}: {describe_read_error(error.filename or certificate, error)}") from error
    except ValueError as error:
        raise TlsError(f"{pair}: {error}") from error


def expect_unexpired(certificate: str, now: datetime) -> None:
    """Raises TlsError if the certificate of a PEM file has expired."""
    try:
        loaded = x509.load_pem_x509_certificate(read_file(certificate))
    except OSError as error:
        raise TlsError(describe_read_error(certificate, error)) from error
    except ValueError as error:
        raise TlsError(f"the file {certificate} {_HOLDS_NONE}") from error
    if loaded.not_valid_after_utc < now:
        raise TlsError(f"{certificate}: the certificate expired {loaded.not_valid_after_utc:%Y-%m-%d}")


def _no_passphrase() -> str:
    """Raises instead of prompting at the terminal."""
    raise ValueError("the private key is encrypted; give it without a passphrase by reference")


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        require_regular_file(ca)
        with awaiting(ca):
            context.load_verify_locations(ca)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"the file {ca} {_HOLDS_NONE}") from error
    except OSError as error:
        raise TlsError(describe_read_error(ca, error)) from error


class _AlertKeepingTls(BoundedTls):
    """A TLS connection that keeps the alert of a failed handshake.

    The event loops cut a failed handshake before its alert is written, so the caller would not learn the reason, for
    example that its certificate has expired.
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


class ReloadableContext:
    """A listener's context that can be replaced: each handshake uses `current`.

    Both certificate and trusted CAs are replaced; from a context in use a CA cannot be removed. A callback by server
    name would do the same, but Python writes a traceback for each name that is not ASCII.
    """

    def __init__(self, current: ssl.SSLContext) -> None:
        self.current = current

    def get_context(self) -> ssl.SSLContext:
        """Returns the context of the next handshake."""
        return self.current


def get_serial_number(peer_certificate: Mapping[str, Any] | None) -> str:
    """Returns the normal form of the subject's SERIALNUMBER (OID 2.5.4.5), "" if there is none or more than one."""
    subject = (peer_certificate or {}).get("subject", ())
    serials = [value for name in subject for key, value in name if key == "serialNumber"]
    return normalize_serial(serials[0]) if len(serials) == 1 else ""
