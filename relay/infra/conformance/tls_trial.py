"""Tries the TLS of an institution: old versions, and clients without certificate."""

import ssl
import warnings
from dataclasses import replace
from typing import Final, NamedTuple

from relay.infra.conformance.connection import Address, CallFailed, ConnectFailed, Connection
from relay.infra.conformance.session import Session, describe
from relay.infra.diagnostics.causes import classify_error
from relay.policy.conformance.call import ConformanceCall, write_call
from relay.policy.conformance.case import TLS
from relay.policy.conformance.judgement import Flaw

_CERTIFICATE_CAUSES: Final = frozenset({"tls_untrusted", "tls_hostname", "tls_expired", "tls_not_yet_valid"})
_VERSIONS: Final = "TLS 1.2, TLS 1.3"


class Contexts(NamedTuple):
    """TLS contexts: with the relay's certificate, without one, and of old versions; all None on a leased line."""

    usual: ssl.SSLContext | None
    anonymous: ssl.SSLContext | None = None
    old: ssl.SSLContext | None = None


async def judge_handshake(address: Address, failed: ConnectFailed, old: ssl.SSLContext | None) -> Flaw | None:
    """Returns the flaw of a failed handshake with the relay's settings, None if it is no flaw of TLS.

    Not every server says that it has no common version: one that speaks old versions is tried with them.
    """
    error, cause = failed.__cause__, explain(failed)
    if cause in _CERTIFICATE_CAUSES:
        return Flaw("tls_certificate", "", "", cause)
    is_old = isinstance(error, ssl.SSLError) and "PROTOCOL_VERSION" in (error.reason or "")
    if is_old or cause == "tls_protocol":
        return Flaw("tls_version", "", _VERSIONS, "tls_protocol")
    if cause == "reset" and old is not None and await _connects(replace(address, context=old)):
        return Flaw("tls_version", "", _VERSIONS, "TLS 1.1")
    return None


def build_old_context(certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Returns a context that speaks TLS 1.0 and 1.1 only and verifies nothing: no call is made with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    if certificate is not None and key is not None:
        context.load_cert_chain(certificate, key)
    return context


async def try_tls(session: Session, call: ConformanceCall, contexts: Contexts) -> None:
    """Tries a handshake of an old version and, if it must be refused, a call without client certificate."""
    address = session.caller.address
    if address.context is None:
        session.recorder.record_untried(None, TLS, "leased_line")
        return
    flaws = []
    if contexts.old is not None and await _connects(replace(address, context=contexts.old)):
        flaws.append(Flaw("tls_version", "", _VERSIONS, "TLS 1.1"))
    if session.target.needs_certificate and contexts.anonymous is not None:
        reply = await _call(replace(address, context=contexts.anonymous), session, call)
        flaws += [Flaw("tls_client_certificate", "", "-", reply)] if reply else []
    session.recorder.record(None, TLS, flaws, describe(call))


async def _connects(address: Address) -> bool:
    try:
        connection = await Connection.open(address)
    except ConnectFailed:
        return False
    connection.abort()
    return True


async def _call(address: Address, session: Session, call: ConformanceCall) -> str:
    """Returns the status of a call without client certificate, "" if the institution refuses the connection.

    With TLS 1.3 it does so after the handshake of the client.
    """
    try:
        connection = await Connection.open(address)
    except ConnectFailed:
        return ""
    tran_id = session.caller.make_tran_id()
    try:
        received = await connection.exchange([write_call(call, address.base_url, tran_id)])
    except (CallFailed, OSError):
        return ""
    finally:
        connection.abort()
    return str(received.status)


def explain(error: ConnectFailed) -> str:
    """Returns the cause of a failed connection."""
    return classify_error(error.__cause__ or error)
