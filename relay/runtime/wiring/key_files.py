"""Opens the files that settings name and reports problems, for `relay check --files`."""

import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from relay.infra.files.regular import describe_read_error, read_file
from relay.infra.tokens.key_folder import TokenKey, TokenKeyError, check_private_keys, read_keys
from relay.policy.settings.scalars import STDOUT
from relay.runtime.settings.file_references import (
    Reference,
    ReferenceKind,
    SecretMissing,
    find_references,
    read_secret,
)
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.settings.problems import SettingsProblem, format_path
from relay.runtime.wiring.ledger import LedgerSettingsError, resolve_ledger_url

_KINDS: Final[dict[ReferenceKind, tuple[Callable[[bytes], Any], str]]] = {
    ReferenceKind.CERTIFICATE: (x509.load_pem_x509_certificates, "certificate, PEM"),
    ReferenceKind.CA: (x509.load_pem_x509_certificates, "certificate, PEM"),
    ReferenceKind.CRL: (x509.load_pem_x509_crl, "CRL, PEM"),
    ReferenceKind.PUBLIC_KEY: (load_pem_public_key, "public key, PEM"),
    ReferenceKind.PRIVATE_KEY: (lambda content: load_pem_private_key(content, None), "private key, PEM"),
    ReferenceKind.TOKEN_KEYS: (bytes, "folder with jwks.json, made by relay keys rotate"),
    ReferenceKind.SECRET: (bytes, "secret"),
}
"""How to open the target of a reference, and what it should hold."""


def find_file_problems(path: Path, loaded: LoadedSettings, now: datetime) -> list[SettingsProblem]:
    """Returns problems of the files that the settings at `path` name; `now` is an aware datetime."""
    problems: list[SettingsProblem] = []
    certificates: dict[tuple[Path, str], x509.Certificate] = {}
    pairs = list(zip(loaded.provider_files, loaded.providers, strict=True))
    for reference in find_references(path.absolute(), loaded.settings, pairs):
        section = reference.key.rpartition(".")[0]
        try:
            content = _open(reference)
        except _Unusable as error:
            problems.append(_problem(reference, error.wrong, error.allowed))
            continue
        if isinstance(content, list) and not (_is_ca(reference) and any(_is_valid(ca, now) for ca in content)):
            problems += (_problem(reference, *problem) for problem in _date_problems(content, now))
        if reference.kind is ReferenceKind.CERTIFICATE:
            certificates[reference.file, section] = content[0]
        elif reference.kind is ReferenceKind.PRIVATE_KEY:
            problems += _key_pair_problems(reference, certificates.get((reference.file, section)), content)
    problems += _ledger_problems(path, loaded)
    problems += _access_log_problems(path, loaded.settings.access_log.path)
    problems += _written_folder_problems(path, loaded)
    return problems


class _Unusable(Exception):
    def __init__(self, wrong: str, allowed: str) -> None:
        super().__init__(wrong)
        self.wrong, self.allowed = wrong, allowed


def _problem(reference: Reference, wrong: str, allowed: str) -> SettingsProblem:
    return SettingsProblem(format_path(reference.file), reference.key, wrong, allowed)


def _is_ca(reference: Reference) -> bool:
    return reference.kind is ReferenceKind.CA


def _open(reference: Reference) -> Any:
    """Returns certificates (a list), a private or public key, token keys, a CRL or a secret. Raises _Unusable."""
    load, expected = _KINDS[reference.kind]
    try:
        if reference.path is None or reference.kind in {ReferenceKind.PRIVATE_KEY, ReferenceKind.SECRET}:
            return load(read_secret(reference.target))
        if reference.kind is ReferenceKind.TOKEN_KEYS:
            return _read_key_folder(Path(reference.target).parent)
        if reference.kind is ReferenceKind.CA and not reference.key.startswith("certifiers["):
            return _read_bundle(Path(reference.target))
        return load(read_file(reference.target))
    except OSError as error:
        raise _Unusable(describe_read_error(reference.target, error), f"a {expected}") from error
    except (SecretMissing, TokenKeyError) as error:
        raise _Unusable(str(error), f"a {expected}") from error
    except TypeError as error:
        raise _Unusable("is encrypted", f"a {expected.replace(', PEM', ' without a password, PEM')}") from error
    except Exception as error:  # cryptography raises many types, and no text of theirs may be shown beside a key
        raise _Unusable(_describe_content(reference), f"a {expected}") from error


def _read_key_folder(folder: Path) -> Sequence[TokenKey]:
    keys = read_keys(folder)
    check_private_keys(folder, keys)
    return keys


def _read_bundle(file: Path) -> list[x509.Certificate]:
    """Returns the CAs of a bundle that OpenSSL accepts, as the relay does. Raises OSError, ValueError."""
    content = read_file(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise ValueError("OpenSSL reads no CA") from error
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:  # OpenSSL accepts more than cryptography; the dates are not checked then
        return []


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _describe_content(reference: Reference) -> str:
    if reference.kind is ReferenceKind.SECRET:
        return "does not fit"
    return (
        "holds no private key"
        if reference.kind is ReferenceKind.PRIVATE_KEY
        else f"the file {reference.target} holds none"
    )


def _date_problems(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[tuple[str, str]]:
    for certificate in chain:
        name = certificate.subject.rfc4514_string()
        if certificate.not_valid_after_utc < now:
            yield f"{name} expired {certificate.not_valid_after_utc:%Y-%m-%d}", "a certificate that is valid today"
        if certificate.not_valid_before_utc > now:
            yield f"{name} begins {certificate.not_valid_before_utc:%Y-%m-%d}", "a certificate that is valid today"


def _spki(key: Any) -> bytes:
    spki: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return spki


def _key_pair_problems(
    reference: Reference, certificate: x509.Certificate | None, key: Any
) -> Iterator[SettingsProblem]:
    if certificate is not None and _spki(certificate.public_key()) != _spki(key.public_key()):
        yield _problem(reference, "does not match the certificate", "the key the certificate was made for")


def _ledger_problems(path: Path, loaded: LoadedSettings) -> Iterator[SettingsProblem]:
    try:
        resolve_ledger_url(loaded.settings.ledger)
    except LedgerSettingsError as error:
        yield SettingsProblem(format_path(path.absolute()), error.key, error.wrong, error.to_do)


def _access_log_problems(path: Path, target: str) -> Iterator[SettingsProblem]:
    if target == STDOUT:
        return
    if Path(target).is_dir():
        yield SettingsProblem(format_path(path.absolute()), "access_log.path", "is a folder", "stdout or a file")
    elif not Path(target).parent.is_dir():
        yield SettingsProblem(
            format_path(path.absolute()),
            "access_log.path",
            "its folder does not exist",
            "a file in a folder that exists",
        )


def _written_folder_problems(path: Path, loaded: LoadedSettings) -> Iterator[SettingsProblem]:
    """Yields folders in which this user cannot make the sockets or the spool."""
    settings = loaded.settings
    folders = (
        ("authority.socket", Path(settings.authority.socket).parent, False),
        *([("adapter.socket", Path(settings.adapter.socket).parent, False)] if loaded.needs_adapter else []),
        *([("gateway.socket", Path(settings.gateway.socket).parent, False)] if settings.gateway.workers != 1 else []),
        ("statistics.spool", Path(settings.statistics.spool), True),
    )
    for key, folder, may_be_made in folders:
        existing = folder
        while may_be_made and not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if existing.exists() and not existing.is_dir():
            wrong = f"{existing} is not a folder"
        elif not existing.exists():
            wrong = f"the folder {existing} does not exist"
        elif not os.access(existing, os.W_OK | os.X_OK):
            wrong = f"this user cannot write to the folder {existing}"
        else:
            continue
        yield SettingsProblem(format_path(path.absolute()), key, wrong, "a path where the relay may write")
