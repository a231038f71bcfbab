"""From references to things: TLS contexts, verifying keys. Whatever cannot be used is named with its file."""

import hashlib
import os
import ssl
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from relay.infra.keyring import VerifyingKey
from relay.infra.tls import client_context, server_context
from relay.policy.plan import Institution
from relay.policy.registry import Provider
from relay.policy.settings import Algorithm, Listener, ServerTls, TokenKey
from relay.runtime.references import secret

_KINDS: dict[Algorithm, type] = {
    Algorithm.ES256: ec.EllipticCurvePublicKey,
    Algorithm.RS256: rsa.RSAPublicKey,
    Algorithm.PS256: rsa.RSAPublicKey,
    Algorithm.EDDSA: ed25519.Ed25519PublicKey,
}


class MaterialError(Exception):
    """A certificate or key that cannot be used; says which and why."""


def verifying_key(key: TokenKey) -> VerifyingKey:
    """A token key of the settings. Raises MaterialError when the file holds no public key of its algorithm."""
    try:
        public = load_pem_public_key(Path(key.public_key).read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise MaterialError(f"{key.public_key}: no public key in PEM: {error}") from error
    if not isinstance(public, _KINDS[key.algorithm]):
        raise MaterialError(f"{key.public_key}: the key does not fit {key.algorithm.value}")
    return VerifyingKey(key.algorithm.value, public)


def listening_context(listener: Listener, tls: ServerTls) -> ssl.SSLContext:
    """The context of a listener with TLS. Raises TlsError."""
    ca = tls.client_ca if listener.client_certificate else None
    with _KeyFile(tls.private_key) as key:
        return server_context(tls.certificate, key, ca)


ReachKey = tuple[object, ...]
"""What decides how an institution is reached; two that are equal may share a pool."""


def reach_key(one: Institution) -> ReachKey:
    """The key of an institution: addresses, limits, and the contents of its certificates and keys.

    Raises MaterialError or SecretMissing when one of them cannot be read.
    """
    file = one.file
    try:
        contents = [Path(path).read_bytes() for path in (file.ca, file.certificate) if path is not None]
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
    with _KeyFile(provider.private_key) as key:
        return client_context(provider.ca, provider.certificate, key)


class _KeyFile:
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
