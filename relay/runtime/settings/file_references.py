"""Files and secrets that the settings refer to: `file:PATH`, `env:NAME`, certificates, CAs and keys."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from relay.infra.files.regular import read_file
from relay.infra.tokens.key_folder import KEY_SET_FILE
from relay.policy.settings.authority import CertifierSettings
from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.portal import PortalSettings


class SecretMissing(Exception):
    """A secret cannot be read. The message names the file or variable and repeats no value."""


def read_secret(reference: str, environ: Mapping[str, str] = os.environ) -> bytes:
    """Returns the secret behind `file:PATH` or `env:NAME`, without one trailing line end.

    Raises SecretMissing when the file cannot be read, the variable is not set, or the secret is empty.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = environ.get(rest)
        if value is None:
            raise SecretMissing(f"the environment variable {rest} is not set")
        content = value.encode("utf-8", "surrogateescape")
    elif scheme == "file":
        try:
            content = read_file(rest)
        except OSError as error:
            raise SecretMissing(f"the file {rest} cannot be read ({error.strerror})") from error
    else:
        raise SecretMissing("a secret is a reference, file:PATH or env:NAME")
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        raise SecretMissing(f"{'the environment variable' if scheme == 'env' else 'the file'} {rest} is empty")
    return content


def resolve_redis_url(url: str) -> str:
    """Returns the URL in the settings, or the URL that its reference names. Raises SecretMissing."""
    return read_secret(url).decode().strip() if url.startswith(("file:", "env:")) else url


class ReferenceKind(StrEnum):
    """What the target of a reference holds."""

    CERTIFICATE = "certificate"
    CA = "ca"
    PUBLIC_KEY = "public_key"
    PRIVATE_KEY = "private_key"
    TOKEN_KEYS = "token_keys"  # noqa: S105 - a kind
    CRL = "crl"
    SECRET = "secret"  # noqa: S105 - a kind


_SECRETS: Final = frozenset({ReferenceKind.PRIVATE_KEY, ReferenceKind.SECRET})


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference: the yaml file and key that hold it, its kind and its target.

    `target` is an absolute path; for a private key or another secret it is `file:PATH` or `env:NAME`.
    """

    file: Path
    key: str
    kind: ReferenceKind
    target: str

    @property
    def path(self) -> Path | None:
        """The referenced file; None for an environment variable."""
        if self.kind not in _SECRETS:
            return Path(self.target)
        return Path(self.target.removeprefix("file:")) if self.target.startswith("file:") else None


def find_references(path: Path, settings: Settings, providers: Sequence[tuple[Path, Provider]]) -> Iterator[Reference]:
    """Yields every reference of the loaded settings, in reading order; `path` is `relay.yaml`."""
    tls = settings.gateway.tls
    if tls is not None:
        yield Reference(path, "gateway.tls.certificate", ReferenceKind.CERTIFICATE, tls.certificate)
        yield Reference(path, "gateway.tls.private_key", ReferenceKind.PRIVATE_KEY, tls.private_key)
        yield Reference(path, "gateway.tls.client_ca", ReferenceKind.CA, tls.client_ca)
    yield Reference(path, "tokens.keys", ReferenceKind.TOKEN_KEYS, str(Path(settings.tokens.keys, KEY_SET_FILE)))
    for index, customer_key in enumerate(settings.ledger.customer_keys):
        yield Reference(path, f"ledger.customer_keys[{index}].key", ReferenceKind.SECRET, customer_key.key)
    if settings.authority.pages is not None and settings.authority.pages.tls is not None:
        pages = settings.authority.pages.tls
        yield Reference(path, "authority.pages.tls.certificate", ReferenceKind.CERTIFICATE, pages.certificate)
        yield Reference(path, "authority.pages.tls.private_key", ReferenceKind.PRIVATE_KEY, pages.private_key)
    for index, certifier in enumerate(settings.certifiers):
        yield from _find_in_certifier(path, f"certifiers[{index}]", certifier)
    if settings.portal is not None:
        yield from _find_in_portal(path, settings.portal)
    for file, provider in providers:
        if provider.ca is not None:
            yield Reference(file, "ca", ReferenceKind.CA, provider.ca)
        if provider.certificate is not None:
            yield Reference(file, "certificate", ReferenceKind.CERTIFICATE, provider.certificate)
        if provider.private_key is not None:
            yield Reference(file, "private_key", ReferenceKind.PRIVATE_KEY, provider.private_key)
        if provider.redirect is not None:
            yield Reference(file, "redirect.public_key", ReferenceKind.PUBLIC_KEY, provider.redirect.public_key)


def _find_in_portal(path: Path, portal: PortalSettings) -> Iterator[Reference]:
    yield Reference(path, "portal.calls.client_secret", ReferenceKind.SECRET, portal.calls.client_secret)
    if portal.ca is not None:
        yield Reference(path, "portal.ca", ReferenceKind.CA, portal.ca)
    if portal.certificate is not None:
        yield Reference(path, "portal.certificate", ReferenceKind.CERTIFICATE, portal.certificate)
    if portal.private_key is not None:
        yield Reference(path, "portal.private_key", ReferenceKind.PRIVATE_KEY, portal.private_key)


def _find_in_certifier(path: Path, key: str, certifier: CertifierSettings) -> Iterator[Reference]:
    for kind, name, files in (
        (ReferenceKind.CA, "roots", certifier.roots),
        (ReferenceKind.CRL, "crls", certifier.crls),
    ):
        for index, file in enumerate(files):
            yield Reference(path, f"{key}.{name}[{index}]", kind, file)
    if (identity := certifier.identity) is not None:
        yield Reference(path, f"{key}.identity.certificate", ReferenceKind.CERTIFICATE, identity.certificate)
        yield Reference(path, f"{key}.identity.private_key", ReferenceKind.PRIVATE_KEY, identity.private_key)
        yield Reference(path, f"{key}.identity.responder", ReferenceKind.CA, identity.responder)
    if (signature := certifier.signature) is not None:
        yield Reference(path, f"{key}.signature.client_secret", ReferenceKind.SECRET, signature.client_secret)
        if signature.ca is not None:
            yield Reference(path, f"{key}.signature.ca", ReferenceKind.CA, signature.ca)
