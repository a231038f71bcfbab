"""What the settings point at: secrets (`file:PATH`, `env:NAME`), certificates, CAs and keys."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relay.policy.registry import Provider
from relay.policy.settings import Settings


class SecretMissing(Exception):
    """A secret is not where its reference says. The text names the file or variable, never a value."""


def secret(reference: str, environ: Mapping[str, str] = os.environ) -> bytes:
    """The secret behind `file:PATH` or `env:NAME`, without one line end at its end.

    Raises SecretMissing when the file cannot be read, the variable is not set, or nothing stands there.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = environ.get(rest)
        if value is None:
            raise SecretMissing(f"the environment variable {rest} is not set")
        content = value.encode("utf-8", "surrogateescape")
    elif scheme == "file":
        try:
            content = Path(rest).read_bytes()
        except OSError as error:
            raise SecretMissing(f"the file {rest} cannot be read ({error.strerror})") from error
    else:
        raise SecretMissing("a secret is a reference, file:PATH or env:NAME")
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        raise SecretMissing(f"{'the environment variable' if scheme == 'env' else 'the file'} {rest} is empty")
    return content


class Kind(StrEnum):
    """What a reference leads to."""

    CERTIFICATE = "certificate"
    CA = "ca"
    PUBLIC_KEY = "public_key"
    PRIVATE_KEY = "private_key"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference: in which yaml file and under which key it stands, what it leads to, and where.

    `target` is an absolute path, or a secret's reference for a private key.
    """

    file: Path
    key: str
    kind: Kind
    target: str

    @property
    def path(self) -> Path | None:
        """The file it leads to; None for a secret of the environment."""
        if self.kind is not Kind.PRIVATE_KEY:
            return Path(self.target)
        return Path(self.target.removeprefix("file:")) if self.target.startswith("file:") else None


def references(path: Path, settings: Settings, providers: Sequence[tuple[Path, Provider]]) -> Iterator[Reference]:
    """Everything the loaded settings point at, in reading order; `path` is `relay.yaml`."""
    tls = settings.gateway.tls
    if tls is not None:
        yield Reference(path, "gateway.tls.certificate", Kind.CERTIFICATE, tls.certificate)
        yield Reference(path, "gateway.tls.private_key", Kind.PRIVATE_KEY, tls.private_key)
        yield Reference(path, "gateway.tls.client_ca", Kind.CA, tls.client_ca)
    for index, key in enumerate(settings.tokens.keys):
        yield Reference(path, f"tokens.keys[{index}].public_key", Kind.PUBLIC_KEY, key.public_key)
    for file, provider in providers:
        if provider.ca is not None:
            yield Reference(file, "ca", Kind.CA, provider.ca)
        if provider.certificate is not None:
            yield Reference(file, "certificate", Kind.CERTIFICATE, provider.certificate)
        if provider.private_key is not None:
            yield Reference(file, "private_key", Kind.PRIVATE_KEY, provider.private_key)
