"""From the settings of certifiers to what proves signed consents with them: roots, CRLs, our identity, TLS."""

import ssl
from collections.abc import Callable, Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from relay.infra.certifiers.identity_message import OurIdentity
from relay.infra.certifiers.revocation import Revocations
from relay.infra.certifiers.verification import IdentityMaterials, Materials, SignatureMaterials
from relay.infra.files.regular import read_file
from relay.infra.upstream.tls import client_context
from relay.policy.settings.authority import Certifier, IdentityDesk, SignatureDesk
from relay.policy.settings.model import ServerTls, Settings
from relay.runtime.settings.secret_references import secret
from relay.runtime.wiring.credentials import KeyFile, MaterialError

T = TypeVar("T")


def furnished(settings: Settings) -> Iterator[tuple[Certifier, Materials]]:
    """Every certifier of the settings with what they point at, for `opened_proofs` and `CertifierProofs.furnish`.

    Raises MaterialError, SecretMissing or TlsError; each names the file or variable.
    """
    for certifier in settings.certifiers:
        if certifier.identity is not None:
            yield certifier, _identity(certifier, certifier.identity)
        elif certifier.signature is not None:
            yield certifier, _signature(certifier.signature, settings.gateway.tls)


def _identity(certifier: Certifier, desk: IdentityDesk) -> IdentityMaterials:
    ours = _read(desk.certificate, x509.load_pem_x509_certificate, "certificate, PEM")
    key = _private_key(desk)
    if key.public_key() != ours.public_key():
        raise MaterialError(f"{desk.certificate}: certifiers.identity.private_key is the key of another certificate")
    return IdentityMaterials(
        roots=tuple(each for file in certifier.roots for each in _certificates(file)),
        crls=tuple(_read(file, _crl, "CRL, PEM") for file in certifier.crls),
        us=OurIdentity(desk.cp_code, ours, key, tuple(_certificates(desk.responder))),
    )


def _private_key(desk: IdentityDesk) -> rsa.RSAPrivateKey:
    """The key that signs requests and opens answers; only RSA does both (RFC 5652 6.2.1)."""
    try:
        key = load_pem_private_key(secret(desk.private_key), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise MaterialError(f"{desk.private_key}: holds no RSA key, PEM, without a password")
    return key


def _signature(desk: SignatureDesk, ours: ServerTls | None) -> SignatureMaterials:
    """TLS with our own certificate, as between all participants (규격 3.1); none on a leased line."""
    try:
        client_secret = secret(desk.client_secret).decode()
    except UnicodeDecodeError:
        raise MaterialError(f"{desk.client_secret}: is no text") from None
    return SignatureMaterials(client_secret, _context(desk, ours))


def _context(desk: SignatureDesk, ours: ServerTls | None) -> ssl.SSLContext | None:
    if desk.base_url.startswith("http://"):
        return None
    if desk.ca is None:
        raise MaterialError(f"{desk.base_url}: certifiers.signature.ca is missing, the CA of its certificate")
    if ours is None:
        return client_context(desk.ca, None, None)
    with KeyFile(ours.private_key) as key:
        return client_context(desk.ca, ours.certificate, key)


def _crl(content: bytes) -> x509.CertificateRevocationList:
    """A CRL read to its end, so that what is wrong inside is told now and not on a customer's call."""
    found = x509.load_pem_x509_crl(content)
    Revocations([found])
    return found


def _certificates(file: str) -> list[x509.Certificate]:
    return _read(file, x509.load_pem_x509_certificates, "certificates, PEM")


def _read(file: str, load: Callable[[bytes], T], what: str) -> T:
    try:
        return load(read_file(file))
    except OSError as error:
        raise MaterialError(f"{file}: {error.strerror}") from error
    except ValueError:
        raise MaterialError(f"{file}: holds no {what}") from None
