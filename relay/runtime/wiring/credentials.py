"""From references to things: TLS contexts, verifying keys. Whatever cannot be used is named with its file."""

import hashlib
import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from relay.infra.files.regular import read_file
from relay.infra.tokens.key_folder import TokenKey, TokenKeyProblem, read_keys, row_of
from relay.infra.tokens.verification import VerifyingKey
from relay.infra.upstream.tls import TlsError, client_context, server_context
from relay.policy.call.plan import Institution
from relay.policy.settings.authority import Pages, Tokens
from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Listener, ServerTls
from relay.policy.settings.portal import PortalSettings
from relay.runtime.settings.secret_references import secret


class MaterialError(Exception):
    """A certificate or key that cannot be used; says which and why."""


def token_keys_of(tokens: Tokens) -> tuple[TokenKey, ...]:
    """The keys of the folder of token keys. Raises MaterialError when it cannot be used."""
    try:
        return read_keys(Path(tokens.keys))
    except TokenKeyProblem as problem:
        raise MaterialError(str(problem)) from problem


def verifying_keys(keys: Iterable[TokenKey]) -> dict[str, VerifyingKey]:
    """The keys that may have signed a token, by kid."""
    return {key.kid: VerifyingKey(key.algorithm, key.public) for key in keys}


def key_set(keys: Iterable[TokenKey]) -> dict[str, Any]:
    """The public keys as they are shown (RFC 7517)."""
    return {"keys": [row_of(key) for key in keys]}


def listening_context(listener: Listener, tls: ServerTls) -> ssl.SSLContext:
    """The context of a listener with TLS. Raises TlsError."""
    ca = tls.client_ca if listener.client_certificate else None
    with KeyFile(tls.private_key) as key:
        return server_context(tls.certificate, key, ca)


def pages_context(pages: Pages) -> ssl.SSLContext | None:
    """The context of the pages' listener; None when a load balancer speaks TLS. Raises TlsError."""
    if pages.tls is None:
        return None
    with KeyFile(pages.tls.private_key) as key:
        return server_context(pages.tls.certificate, key, None)


ReachKey = tuple[object, ...]
"""What decides how an institution is reached; two that are equal may share a pool."""


def reach_key(one: Institution) -> ReachKey:
    """The key of an institution: addresses, limits, and the contents of its certificates and keys.

    Raises MaterialError or SecretMissing when one of them cannot be read.
    """
    file = one.file
    try:
        contents = [read_file(path) for path in (file.ca, file.certificate) if path is not None]
    except OSError as error:
        raise MaterialError(f"{error.filename}: {error.strerror}") from error
    if file.private_key is not None:
        contents.append(secret(file.private_key))
    digest = hashlib.sha256(b"\0".join(contents)).digest()
    return file.base_urls, file.link, one.timeouts, one.concurrency, one.queue, digest


def provider_context(provider: Provider) -> ssl.SSLContext | None:
    """The context toward a provider; None on a leased line. Raises TlsError."""
    if provider.ca is None:
        return None
    if provider.private_key is None:
        return client_context(provider.ca, None, None)
    with KeyFile(provider.private_key) as key:
        return client_context(provider.ca, provider.certificate, key)


def portal_context(portal: PortalSettings, ours: ServerTls | None) -> ssl.SSLContext | None:
    """The context toward the portal: our own certificate is shown unless another is named; None on a leased line.

    Raises TlsError.
    """
    if urlsplit(portal.base_url).scheme != "https":
        return None
    shown = portal if portal.certificate is not None else ours
    if shown is None or shown.private_key is None or shown.certificate is None:
        raise TlsError("portal.certificate is missing, and the gateway has none to show in its place")
    with KeyFile(shown.private_key) as key:
        return client_context(portal.ca, shown.certificate, key)


class KeyFile:
    """A private key as a path, which is all OpenSSL takes; one from the environment lives in memory only."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._descriptor = -1

    def __enter__(self) -> str:
        scheme, _, rest = self._reference.partition(":")
        if scheme == "file":
            return rest
        key = secret(self._reference)
        self._descriptor = os.memfd_create("key")
        os.write(self._descriptor, key)
        return f"/proc/self/fd/{self._descriptor}"

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
