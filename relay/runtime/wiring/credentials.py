"""Builds TLS contexts and token keys from the files that settings name. Errors name the file."""

import hashlib
import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from relay.infra.files.regular import describe_read_error, read_file
from relay.infra.tokens.key_folder import TokenKey, TokenKeyError, read_keys, to_jwk
from relay.infra.tokens.verification import VerifyingKey
from relay.infra.upstream.tls import TlsError, build_client_context, build_server_context
from relay.policy.call.plan import Institution
from relay.policy.settings.authority import PagesSettings, TokenSettings
from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Listener, ServerTls
from relay.policy.settings.portal import PortalSettings
from relay.runtime.settings.file_references import read_secret


class CredentialError(Exception):
    """A certificate, key or secret cannot be used; the text names it and the reason."""


def read_token_keys(tokens: TokenSettings) -> tuple[TokenKey, ...]:
    """Returns the keys of the token key folder. Raises CredentialError when it cannot be used."""
    try:
        return read_keys(Path(tokens.keys))
    except TokenKeyError as problem:
        raise CredentialError(str(problem)) from problem


def build_verifying_keys(keys: Iterable[TokenKey]) -> dict[str, VerifyingKey]:
    """Returns the keys that verify tokens, by kid."""
    return {key.kid: VerifyingKey(key.algorithm, key.public) for key in keys}


def build_jwks(keys: Iterable[TokenKey]) -> dict[str, Any]:
    """Returns the public keys as a JWK set (RFC 7517)."""
    return {"keys": [to_jwk(key) for key in keys]}


def build_listener_context(listener: Listener, tls: ServerTls) -> ssl.SSLContext:
    """Returns the TLS context of a listener. Raises TlsError."""
    ca = tls.client_ca if listener.client_certificate else None
    with KeyFile(tls.private_key) as key:
        return build_server_context(tls.certificate, key, ca)


def build_pages_context(pages: PagesSettings) -> ssl.SSLContext | None:
    """Returns the TLS context of the pages' listener, None when a load balancer terminates TLS. Raises TlsError."""
    if pages.tls is None:
        return None
    with KeyFile(pages.tls.private_key) as key:
        return build_server_context(pages.tls.certificate, key, None)


PoolKey = tuple[object, ...]
"""Everything that a pool of an institution depends on; equal keys may share a pool."""


def compute_pool_key(institution: Institution) -> PoolKey:
    """Returns the key of an institution: addresses, limits, and the contents of its certificates and keys.

    Raises CredentialError or SecretMissing when one of them cannot be read.
    """
    file = institution.settings
    limits = (
        *(institution.timeouts, institution.concurrency, institution.queue),
        *(institution.operator_concurrency, institution.is_adaptive, institution.weights),
    )
    return file.base_urls, file.speaks, file.core, file.link, *limits, compute_file_digest(file)


def compute_file_digest(file: Provider) -> bytes:
    """Returns a hash over the contents of an institution's certificates and keys.

    Raises CredentialError or SecretMissing when one of them cannot be read.
    """
    try:
        contents = [read_file(path) for path in (file.ca, file.certificate) if path is not None]
    except OSError as error:
        raise CredentialError(describe_read_error(error.filename, error)) from error
    if file.private_key is not None:
        contents.append(read_secret(file.private_key))
    return hashlib.sha256(b"\0".join(contents)).digest()


def build_institution_context(provider: Provider) -> ssl.SSLContext | None:
    """Returns the TLS context toward an institution, None on a leased line. Raises TlsError.

    Where the core opens the lines the relay is the server. It takes TLS 1.2, too, as of other institutions.
    """
    if provider.ca is None:
        return None
    if provider.private_key is None or provider.certificate is None:
        return build_client_context(provider.ca, None, None)
    with KeyFile(provider.private_key) as key:
        if provider.core is not None and provider.core.listen is not None:
            context = build_server_context(provider.certificate, key, provider.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            return context
        return build_client_context(provider.ca, provider.certificate, key)


def build_portal_context(portal: PortalSettings, ours: ServerTls | None) -> ssl.SSLContext | None:
    """Returns the TLS context toward the portal, None on a leased line. Raises TlsError.

    It shows the gateway's certificate unless portal.certificate names another.
    """
    if urlsplit(portal.base_url).scheme != "https":
        return None
    shown = portal if portal.certificate is not None else ours
    if shown is None or shown.private_key is None or shown.certificate is None:
        raise TlsError("portal.certificate is missing, and the gateway has none to show instead")
    with KeyFile(shown.private_key) as key:
        return build_client_context(portal.ca, shown.certificate, key)


class KeyFile:
    """A private key as a path, because OpenSSL takes only paths; a key from the environment stays in memory."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._descriptor = -1

    def __enter__(self) -> str:
        scheme, _, rest = self._reference.partition(":")
        if scheme == "file":
            return rest
        key = read_secret(self._reference)
        self._descriptor = os.memfd_create("key")
        os.write(self._descriptor, key)
        return f"/proc/self/fd/{self._descriptor}"

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
