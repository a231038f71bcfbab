"""Opens what the settings point at and says what is wrong with it: the part of `relay check` that `--files` adds."""

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

from relay.infra.files.regular import read_file
from relay.infra.tokens.key_folder import TokenKeyProblem, read_keys
from relay.policy.settings.scalars import STDOUT
from relay.runtime.settings.loading import Loaded
from relay.runtime.settings.problems import Problem, shown
from relay.runtime.settings.secret_references import Kind, Reference, SecretMissing, references, secret
from relay.runtime.wiring.ledger import LedgerUnfit, url_of

_KINDS: Final[dict[Kind, tuple[Callable[[bytes], Any], str]]] = {
    Kind.CERTIFICATE: (x509.load_pem_x509_certificates, "certificate, PEM"),
    Kind.CA: (x509.load_pem_x509_certificates, "certificate, PEM"),
    Kind.CRL: (x509.load_pem_x509_crl, "CRL, PEM"),
    Kind.PUBLIC_KEY: (load_pem_public_key, "public key, PEM"),
    Kind.PRIVATE_KEY: (lambda content: load_pem_private_key(content, None), "private key, PEM"),
    Kind.TOKEN_KEYS: (bytes, "folder with jwks.json, made by relay keys rotate"),
    Kind.SECRET: (bytes, "secret"),
}
"""How what a reference leads to is opened, and what it should be."""


def file_problems(path: Path, loaded: Loaded, now: datetime) -> list[Problem]:
    """What is wrong with the files behind the settings of `path`, at the moment `now` (with a time zone)."""
    problems: list[Problem] = []
    certificates: dict[tuple[Path, str], x509.Certificate] = {}
    pairs = list(zip(loaded.sources, loaded.providers, strict=True))
    for each in references(path.absolute(), loaded.settings, pairs):
        section = each.key.rpartition(".")[0]
        try:
            found = _opened(each)
        except _Unfit as unfit:
            problems.append(_problem(each, unfit.wrong, unfit.allowed))
            continue
        if isinstance(found, list) and not (each.kind is Kind.CA and any(_is_valid(one, now) for one in found)):
            problems += (_problem(each, *said) for said in _dates(found, now))
        if each.kind is Kind.CERTIFICATE:
            certificates[each.file, section] = found[0]
        elif each.kind is Kind.PRIVATE_KEY:
            problems += _pair(each, certificates.get((each.file, section)), found)
    return [*problems, *_ledger_url(path, loaded), *_log(path, loaded.settings.access_log.path)]


class _Unfit(Exception):
    def __init__(self, wrong: str, allowed: str) -> None:
        super().__init__(wrong)
        self.wrong, self.allowed = wrong, allowed


def _problem(reference: Reference, wrong: str, allowed: str) -> Problem:
    return Problem(shown(reference.file), reference.key, wrong, allowed)


def _opened(reference: Reference) -> Any:
    """Certificates (a list, never empty), a private or a public key, token keys, a CRL, a secret. Raises _Unfit."""
    opens, asked = _KINDS[reference.kind]
    try:
        if reference.path is None or reference.kind in {Kind.PRIVATE_KEY, Kind.SECRET}:
            return opens(secret(reference.target))
        if reference.kind is Kind.TOKEN_KEYS:
            return read_keys(Path(reference.target).parent)
        if reference.kind is Kind.CA and not reference.key.startswith("certifiers["):
            return _bundle(Path(reference.target))
        return opens(read_file(reference.target))
    except OSError as error:
        raise _Unfit(f"the file {reference.target} cannot be read ({error.strerror})", f"a {asked}") from error
    except (SecretMissing, TokenKeyProblem) as error:
        raise _Unfit(str(error), f"a {asked}") from error
    except TypeError as error:
        raise _Unfit("is encrypted", f"a {asked.replace(', PEM', ' without a password, PEM')}") from error
    except Exception as error:  # cryptography's own errors are many, and none is to be shown beside a key
        raise _Unfit(_holds_none(reference), f"a {asked}") from error


def _bundle(file: Path) -> list[x509.Certificate]:
    """The CAs of a bundle as OpenSSL reads it, which is what the relay trusts by. Raises OSError, ssl.SSLError."""
    content = read_file(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise ValueError("OpenSSL reads no CA") from error
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:  # OpenSSL takes more than the stricter reader does; their dates are not told then
        return []


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _holds_none(reference: Reference) -> str:
    if reference.kind is Kind.SECRET:
        return "does not fit"
    return "holds no private key" if reference.kind is Kind.PRIVATE_KEY else f"the file {reference.target} holds none"


def _dates(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[tuple[str, str]]:
    for certificate in chain:
        name = certificate.subject.rfc4514_string()
        if certificate.not_valid_after_utc < now:
            yield f"{name} expired {certificate.not_valid_after_utc:%Y-%m-%d}", "a certificate that is valid today"
        if certificate.not_valid_before_utc > now:
            yield f"{name} begins {certificate.not_valid_before_utc:%Y-%m-%d}", "a certificate that is valid today"


def _spki(key: Any) -> bytes:
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def _pair(reference: Reference, certificate: x509.Certificate | None, key: Any) -> Iterator[Problem]:
    if certificate is not None and _spki(certificate.public_key()) != _spki(key.public_key()):
        yield _problem(reference, "does not match the certificate", "the key the certificate was made for")


def _ledger_url(path: Path, loaded: Loaded) -> Iterator[Problem]:
    try:
        url_of(loaded.settings.ledger)
    except LedgerUnfit as unfit:
        yield Problem(shown(path.absolute()), unfit.key, unfit.wrong, unfit.to_do)


def _log(path: Path, target: str) -> Iterator[Problem]:
    if target == STDOUT:
        return
    if Path(target).is_dir():
        yield Problem(shown(path.absolute()), "access_log.path", "is a folder", "stdout or a file")
    elif not Path(target).parent.is_dir():
        yield Problem(
            shown(path.absolute()),
            "access_log.path",
            "lies in a folder that does not exist",
            "a file in a folder that exists",
        )
