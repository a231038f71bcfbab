"""Opens what verifying signed consents needs of each certifier: roots, CRLs, our identity, TLS."""

import ssl
from collections.abc import Callable, Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from relay.infra.certifiers.identity_message import RelayIdentity
from relay.infra.certifiers.revocation import Revocations
from relay.infra.certifiers.verification import CertifierCredentials, IdentityCredentials, SignatureCredentials
from relay.infra.files.regular import read_file
from relay.infra.upstream.tls import build_client_context
from relay.policy.settings.authority import CertifierSettings, IdentityServiceSettings, SignatureServiceSettings
from relay.policy.settings.model import ServerTls, Settings
from relay.runtime.settings.file_references import read_secret
from relay.runtime.wiring.credentials import CredentialError, KeyFile

T = TypeVar("T")


def build_certifiers(settings: Settings) -> Iterator[tuple[CertifierSettings, CertifierCredentials]]:
    """Yields each certifier of the settings with the contents of its files, for `open_consent_verifier`.

    Raises CredentialError, SecretMissing or TlsError, which name the file or variable.
    """
    for certifier in settings.certifiers:
        if certifier.identity is not None:
            yield certifier, _identity(certifier, certifier.identity)
        elif certifier.signature is not None:
            yield certifier, _signature(certifier.signature, settings.gateway.tls)


def _identity(certifier: CertifierSettings, settings: IdentityServiceSettings) -> IdentityCredentials:
    ours = _read(settings.certificate, x509.load_pem_x509_certificate, "certificate, PEM")
    key = _private_key(settings)
    if key.public_key() != ours.public_key():
        raise CredentialError(
            f"{settings.certificate}: certifiers.identity.private_key is the key of another certificate"
        )
    return IdentityCredentials(
        roots=tuple(root for file in certifier.roots for root in _certificates(file)),
        crls=tuple(_read(file, _crl, "CRL, PEM") for file in certifier.crls),
        relay_identity=RelayIdentity(settings.cp_code, ours, key, tuple(_certificates(settings.responder))),
    )


def _private_key(settings: IdentityServiceSettings) -> rsa.RSAPrivateKey:
    """Returns the key that signs requests and decrypts responses; only RSA does both (RFC 5652 6.2.1).

    PERF: a test of its primes would hold the interpreter for 40 ms; `relay check --files` makes it.
    """
    try:
        key = load_pem_private_key(read_secret(settings.private_key), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CredentialError(f"{settings.private_key}: holds no RSA key, PEM, without a password")
    return key


def _signature(settings: SignatureServiceSettings, ours: ServerTls | None) -> SignatureCredentials:
    """TLS shows our own certificate, as between all participants (규격 3.1); a leased line has no TLS."""
    try:
        client_secret = read_secret(settings.client_secret).decode()
    except UnicodeDecodeError:
        raise CredentialError(f"{settings.client_secret}: is not UTF-8 text") from None
    return SignatureCredentials(client_secret, _context(settings, ours))


def _context(settings: SignatureServiceSettings, ours: ServerTls | None) -> ssl.SSLContext | None:
    if settings.base_url.startswith("http://"):
        return None
    if settings.ca is None:
        raise CredentialError(f"{settings.base_url}: certifiers.signature.ca is missing, the CA of its certificate")
    if ours is None:
        return build_client_context(settings.ca, None, None)
    with KeyFile(ours.private_key) as key:
        return build_client_context(settings.ca, ours.certificate, key)


def _crl(content: bytes) -> x509.CertificateRevocationList:
    """Reads the whole CRL, so that errors inside it are reported now and not on a customer's call."""
    crl = x509.load_pem_x509_crl(content)
    Revocations([crl])
    return crl


def _certificates(file: str) -> list[x509.Certificate]:
    return _read(file, x509.load_pem_x509_certificates, "certificates, PEM")


def _read(file: str, load: Callable[[bytes], T], expected: str) -> T:
    try:
        return load(read_file(file))
    except OSError as error:
        raise CredentialError(f"{file}: {error.strerror}") from error
    except ValueError:
        raise CredentialError(f"{file}: holds no {expected}") from None
