"""Opens what the settings point at and says what is wrong with it: the part of `relay check` that `--files` adds."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from relay.policy.scalars import STDOUT
from relay.policy.settings import Algorithm
from relay.runtime.config import Loaded
from relay.runtime.problems import Problem, shown
from relay.runtime.references import Kind, Reference, SecretMissing, references, secret

RSA_BITS = 2048
"""RS256 and PS256 ask for keys of 2048 bits or more (RFC 7518, 3.3)."""


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
        if isinstance(found, list):
            problems += (_problem(each, *said) for said in _dates(found, now))
        if each.kind is Kind.CERTIFICATE:
            certificates[each.file, section] = found[0]
        elif each.kind is Kind.PRIVATE_KEY:
            problems += _pair(each, certificates.get((each.file, section)), found)
        elif each.kind is Kind.PUBLIC_KEY:
            index = int(section.partition("[")[2].rstrip("]"))
            problems += _algorithm(each, loaded.settings.tokens.keys[index].algorithm, found)
    return [*problems, *_log(path, loaded.settings.access_log.path)]


class _Unfit(Exception):
    def __init__(self, wrong: str, allowed: str) -> None:
        super().__init__(wrong)
        self.wrong, self.allowed = wrong, allowed


def _problem(reference: Reference, wrong: str, allowed: str) -> Problem:
    return Problem(shown(reference.file), reference.key, wrong, allowed)


def _opened(reference: Reference) -> Any:
    """Certificates (a list, never empty), a private or a public key. Raises _Unfit."""
    if reference.kind is Kind.PRIVATE_KEY:
        try:
            return load_pem_private_key(secret(reference.target), None)
        except SecretMissing as error:
            raise _Unfit(str(error), "a private key, PEM") from error
        except TypeError as error:
            raise _Unfit("is encrypted", "a private key without a password, PEM") from error
        except Exception as error:  # cryptography's own errors are many, and none is to be shown beside a key
            raise _Unfit("holds no private key", "a private key, PEM") from error
    try:
        content = Path(reference.target).read_bytes()
    except OSError as error:
        wrong = f"the file {reference.target} cannot be read ({error.strerror})"
        raise _Unfit(wrong, f"a {_asked(reference)}") from error
    try:
        return (
            load_pem_public_key(content)
            if reference.kind is Kind.PUBLIC_KEY
            else x509.load_pem_x509_certificates(content)
        )
    except Exception as error:  # as above
        raise _Unfit(f"the file {reference.target} holds none", f"a {_asked(reference)}") from error


def _asked(reference: Reference) -> str:
    return "public key, PEM" if reference.kind is Kind.PUBLIC_KEY else "certificate, PEM"


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


def _algorithm(reference: Reference, algorithm: Algorithm, key: Any) -> Iterator[Problem]:
    match algorithm:
        case Algorithm.ES256:
            fits, asked = (
                isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1",
                "an EC P-256 key",
            )
        case Algorithm.EDDSA:
            fits, asked = isinstance(key, ed25519.Ed25519PublicKey), "an Ed25519 key"
        case _:
            fits = isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS
            asked = f"an RSA key of {RSA_BITS} bits or more"
    if not fits:
        yield _problem(reference, f"does not fit algorithm {algorithm}", asked)


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
